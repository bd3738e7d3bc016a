//! Whether the running kernel loads signed modules only (session.cxx: `modules_must_be_signed`).

use crate::world::environment::Environment;
use frontend::world::World;
use std::path::Path;

/// What to say if it does: rstap signs nothing.
pub const REFUSAL: &str = "\
The kernel on your system requires modules to be signed for loading.
Signing is not supported by this version of systemtap: stop after pass 4 with -p4, sign the module with a key that is
enrolled on this machine, and load it with staprun; or turn Secure Boot or the lockdown off. If the kernel loads
unsigned modules after all, set SYSTEMTAP_NOSIGN.";

/// True if an unsigned module would be refused. `SYSTEMTAP_SIGN` and `SYSTEMTAP_NOSIGN` overrule what the kernel says.
pub fn required(env: &Environment, world: &dyn World) -> bool {
    if env.variables.contains_key("SYSTEMTAP_SIGN") {
        return true;
    }
    if env.variables.contains_key("SYSTEMTAP_NOSIGN") {
        return false;
    }
    let text = |path: &str| {
        let bytes = world.read(Path::new(path)).ok();
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    };
    text("/sys/module/module/parameters/sig_enforce").starts_with('Y')
        || text("/sys/kernel/security/securelevel").starts_with('1')
        || text("/sys/kernel/security/lockdown")
            .split_whitespace()
            .any(|word| matches!(word, "[integrity]" | "[confidentiality]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use frontend::world::MemoryWorld;

    #[test]
    fn what_the_kernel_says_and_who_overrules_it() {
        let lockdown = |word: &str| {
            MemoryWorld::new()
                .with("/sys/module/module/parameters/sig_enforce", "N\n")
                .with("/sys/kernel/security/lockdown", word)
        };
        let mut env = Environment::default();
        assert!(!required(&env, &MemoryWorld::new()));
        assert!(!required(&env, &lockdown("[none] integrity confidentiality\n")));
        let locked = lockdown("none [integrity] confidentiality\n");
        assert!(required(&env, &locked));
        let enforced = MemoryWorld::new().with("/sys/module/module/parameters/sig_enforce", "Y\n");
        assert!(required(&env, &enforced));
        env.variables.insert("SYSTEMTAP_NOSIGN".into(), "1".into());
        assert!(!required(&env, &locked));
        env.variables.insert("SYSTEMTAP_SIGN".into(), "1".into());
        assert!(required(&env, &MemoryWorld::new()));
    }
}
