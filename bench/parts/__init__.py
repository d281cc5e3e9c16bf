"""What is measured: each module is one part, with a `measure` that answers with its figures."""
