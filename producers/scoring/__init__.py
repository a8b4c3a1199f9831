"""What the scorers and the harvester share: the tally, the block around a piece of work, chunks and marks of a batch."""
