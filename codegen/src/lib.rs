//! Pure back half of the translator: typed program in, C text out.

pub mod regex;
