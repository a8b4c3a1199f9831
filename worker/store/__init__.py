"""What Redis holds, and the only verbs that change it: read, load, commit, lease, and the flush's marks."""
