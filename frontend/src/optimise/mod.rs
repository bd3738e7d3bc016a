//! Passes that make the bound program smaller without changing what it does.
