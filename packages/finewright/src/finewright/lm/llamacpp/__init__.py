"""llama.cpp in processes of its own."""
