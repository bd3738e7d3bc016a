//! Which tapset files a session reads, and what they define.
