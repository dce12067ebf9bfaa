"""The kinds of adapters, one file each, what they have in common, and PEFT's folder that they are kept in."""
