"""What is not live: training, evaluation, benchmark, demo. The live path never imports it."""
