"""At start: brings index and files together, and salvages what a crash interrupted."""
