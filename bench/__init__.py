"""The benchmark: Preroll beside the limit of its parts and beside its peers, in one run on the same frames."""
