"""Live outputs: poses in other programs, a look from a browser, a virtual camera, health.

Each of them is a sink whose ``write`` hands over and returns: a slow or absent reader costs the
pipeline nothing. Whoever reads too slowly gets the newest frame, and never an old one. Each is
loaded from its own file: the browser view is there before the poses.
"""
