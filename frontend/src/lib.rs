//! Pure front half of the translator: text in, typed program out.
