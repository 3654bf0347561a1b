"""How fast livepose is on this machine, and the scene that it measures itself on."""
