"""The formats that training rows come in, one family a file, each turned into one of our own shapes."""
