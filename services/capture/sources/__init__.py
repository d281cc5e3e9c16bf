"""Where frames come from: a module a kind of source, all behind `source.Source`."""
