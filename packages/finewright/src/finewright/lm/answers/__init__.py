"""Generated text as an answer: thoughts, content and calls, by the marks of the template that asked."""
