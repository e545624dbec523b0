"""The product on one machine: its processes, its engine, its emulators and its keys."""
