"""Other frameworks that train in finewright's place, each in a process and an environment of its own."""
