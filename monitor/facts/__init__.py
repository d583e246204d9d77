"""What a batch, an event, a delivery and a receiver are to a reader, in words and in JSON."""
