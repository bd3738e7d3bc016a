//! Standard output and standard error of a run.

use crate::render::Renderer;
use frontend::diag::{Diagnostic, Diagnostics};
use frontend::source::SourceMap;
use std::io::Write as _;

/// Both streams, and the renderer that decides what a diagnostic looks like.
#[derive(Debug)]
pub struct Terminal {
    /// The renderer.
    pub renderer: Renderer,
}

impl Terminal {
    /// Prints the diagnostics of a pass.
    pub fn diagnostics(&mut self, sources: &SourceMap, diagnostics: Diagnostics) {
        for diagnostic in diagnostics {
            self.diagnostic(sources, &diagnostic);
        }
    }

    /// Prints one diagnostic.
    pub fn diagnostic(&mut self, sources: &SourceMap, diagnostic: &Diagnostic) {
        let text = self.renderer.diagnostic(sources, diagnostic);
        say(&text);
    }

    /// Prints a warning without a place.
    pub fn warn(&mut self, message: &str) {
        let text = self.renderer.plain_warning(message);
        say(&text);
    }

    /// Prints a line to standard error.
    pub fn line(&self, text: &str) {
        say(self.renderer.line(text).as_bytes());
    }

    /// Prints text to standard error as it is.
    pub fn raw(&self, text: &str) {
        say(text.as_bytes());
    }

    /// Prints a result to standard output.
    pub fn out(&self, text: &[u8]) {
        // A reader that has gone away wants no more, and there is nobody to tell.
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text).and_then(|()| stdout.flush());
    }
}

fn say(text: &[u8]) {
    // As for standard output.
    let _ = std::io::stderr().lock().write_all(text);
}
