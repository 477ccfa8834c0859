"""The arithmetic that is not the kernel's: answers, contributions, metrics, learning."""
