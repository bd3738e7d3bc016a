//! Tree to text, in the form of upstream's dumps (`-p1`, `-p2 -v`). The text parses back to the same tree.
