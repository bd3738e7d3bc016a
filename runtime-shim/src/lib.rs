//! The installed runtime's surface: what it has, what it lacks on a kernel, how to build against it and load the result.
