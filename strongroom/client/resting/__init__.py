"""Files at rest, many in one call: sealed, submitted and opened in runs that go on where an earlier one stopped."""
