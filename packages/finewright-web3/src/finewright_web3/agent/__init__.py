"""An agent that reads transactions: tools that decode, look up, simulate, explain and warn. None signs."""
