"""PCK of Leeds Sports Pose and PCKh of MPII, as their papers count them."""
