"""The evil parent: the real client against real enclaves of the simulator, through a gateway that lies."""
