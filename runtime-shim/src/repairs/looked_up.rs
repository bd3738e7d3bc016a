//! What repairs share that call a kernel function which is not exported: through a pointer, looked up when the module
//! starts, behind a macro of the name that the runtime calls.

use super::{Correction, Pieces, Situation};

/// Such a function.
pub(super) struct LookedUp {
    /// The name as the runtime calls it.
    pub name: &'static str,
    /// Its parameters, for the macro.
    pub parameters: &'static [&'static str],
    /// Type of its value; a pointer, NULL if the function was not found.
    pub result: &'static str,
    /// The function as the kernel has it.
    pub function: &'static str,
    /// The header that declares it.
    pub header: &'static str,
    /// The STAPCONF name that makes the runtime call the name as it stands, which is the macro then.
    pub exported: &'static str,
}

impl LookedUp {
    /// The repair's pieces.
    pub fn pieces(&self, at: &Situation<'_>) -> Pieces {
        let LookedUp { name, result, function, header, .. } = self;
        let arguments: Vec<String> =
            self.parameters.iter().map(|parameter| format!("({parameter})")).collect();
        let parameters = self.parameters.join(", ");
        let call = format!("rstap_{name}({})", arguments.join(", "));
        // A kernel with indirect branch tracking faults on calls of looked-up functions without a landing pad; from
        // 5.0 the runtime has a wrapper for that, a macro that is visible where this one is expanded.
        let call = match at.profile.ibt_wrapper {
            true => format!("ibt_wrapper({result}, {call})"),
            false => call,
        };
        Pieces {
            corrections: vec![Correction { name: self.exported, value: true }],
            header: format!(
                "\
#include <{header}>
static typeof(&{function}) rstap_{name} __attribute__((unused));
#define {name}({parameters}) \\
	(rstap_{name} ? {call} : NULL)
"
            ),
            init: Some(format!("({{ rstap_{name} = (void *)kallsyms_lookup_name(\"{function}\"); 0; }})")),
            ..Pieces::default()
        }
    }
}
