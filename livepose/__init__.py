"""livepose"""
