"""How fast livepose is beside its peers, on one machine in one run; the contract is README.md."""
