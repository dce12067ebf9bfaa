"""Data sets of smart contracts and of the calls that wallets show, for finewright."""
