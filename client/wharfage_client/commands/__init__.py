"""The commands of `wharfage`, a module a subject; each is imported when it is typed."""
