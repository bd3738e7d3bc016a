//! Options that say for which kernel, runtime and process.

use super::{ArgError, Category, Flag, Support, Takes, number, pair, safe, text, word_and};

const BASE: Flag = Flag { category: Category::Target, ..Flag::EMPTY };

/// Longest module name: the kernel's limit (MODULE_NAME_LEN), one less for the final NUL.
const MODULE_NAME_MAX: usize = 55;

/// The options, in the order of the help text.
pub const FLAGS: &[Flag] = &[
    Flag {
        short: Some('r'),
        takes: Takes::Required("RELEASE"),
        doc: "Build for that kernel release, or for the kernel build tree of that absolute path.",
        update: |low, value| {
            low.release = Some(text(value));
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('a'),
        takes: Takes::Required("ARCH"),
        doc: "Build for that architecture.",
        update: |low, value| {
            let value = text(value);
            safe(word_and("_-").all(&value), "-a parameter", &value, "^[a-z0-9_-]+$")?;
            low.architecture = Some(value);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('R'),
        takes: Takes::Required("DIR"),
        doc: "Use the runtime in DIR.",
        update: |low, value| {
            low.runtime = value.map(Into::into);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('m'),
        takes: Takes::Required("NAME"),
        doc: "Name of the module, which is kept in the current directory.",
        update: |low, value| {
            let mut name = text(value);
            let mut cut = |name: &str| low.remarks.push(format!("Truncating module name to '{name}'"));
            if name.ends_with(".ko") || name.ends_with(".so") {
                name.truncate(name.len() - 3);
                cut(&name);
            }
            if name.is_empty() {
                return Err(ArgError::Invalid("Module name cannot be empty.".into()));
            }
            safe(word_and("_").all(&name), "-m parameter", &name, "^[a-z0-9_]+$")?;
            if name.len() >= MODULE_NAME_MAX {
                name.truncate(MODULE_NAME_MAX);
                cut(&name);
            }
            low.module_name = Some(name);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('c'),
        takes: Takes::Required("COMMAND"),
        doc: "Start the probes, run COMMAND, and end the script when it ends.",
        update: |low, value| {
            let command = text(value);
            if command.is_empty() {
                return Err(ArgError::Invalid("Empty CMD string invalid.".into()));
            }
            low.command = Some(command);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('x'),
        takes: Takes::Required("PID"),
        doc: "Process that target() names.",
        update: |low, value| {
            let pid = number(&text(value));
            let pid = pid.ok_or_else(|| ArgError::Invalid("Invalid target process ID number.".into()))?;
            low.target_pid = Some(pid);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("target-namespaces"),
        takes: Takes::Required("PID"),
        doc: "Process whose namespaces the script sees.",
        update: |low, value| {
            let pid = number(&text(value)).filter(|pid| *pid >= 1);
            let wrong = "Invalid process ID number for target namespaces.";
            low.namespaces_pid = Some(pid.ok_or_else(|| ArgError::Invalid(wrong.into()))?);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('d'),
        takes: Takes::Required("OBJECT"),
        doc: "Add symbols and unwind data of OBJECT, an executable or a kernel module. May be repeated.",
        update: |low, value| {
            let object = text(value);
            if object.is_empty() {
                return Err(ArgError::Invalid("Data object (-d) cannot be empty.".into()));
            }
            low.symbol_objects.push(object);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("ldd"),
        doc: "Add those of the libraries that the executables use.",
        update: |low, _| {
            low.symbols_of_libraries = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("all-modules"),
        doc: "Add those of every loaded kernel module.",
        update: |low, _| {
            low.symbols_of_all_modules = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("sysroot"),
        takes: Takes::Required("DIR"),
        doc: "Directory in which the target's files are.",
        update: |low, value| {
            if low.sysroot.is_some() {
                return Err(ArgError::Invalid("ERROR: multiple --sysroot options not supported".into()));
            }
            low.sysroot = value.map(Into::into);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("sysenv"),
        takes: Takes::Required("NAME=VALUE"),
        doc: "Value of an environment variable in the target; after --sysroot.",
        update: |low, value| {
            let value = text(value);
            if low.sysroot.is_none() {
                return Err(ArgError::Invalid("ERROR: --sysenv must follow --sysroot".into()));
            }
            if !value.contains('=') {
                let message = format!("ERROR: {value} is an invalid argument for --sysenv");
                return Err(ArgError::Invalid(message));
            }
            low.sysenv.push(pair(&value));
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("runtime"),
        takes: Takes::Required("MODE"),
        doc: "What the script runs in; this version knows kernel only.",
        update: |_, value| match text(value).as_str() {
            "kernel" => Ok(()),
            "bpf" => Err(no_backend("bpf", "BPF")),
            "dyninst" => Err(no_backend("dyninst", "DYNINST")),
            other => Err(ArgError::Invalid(format!("ERROR: {other} is an invalid argument for --runtime"))),
        },
        ..BASE
    },
    Flag {
        long: Some("dyninst"),
        doc: "The same as --runtime=dyninst.",
        update: |_, _| Err(no_backend("dyninst", "DYNINST")),
        ..BASE
    },
    Flag {
        long: Some("bpf"),
        doc: "The same as --runtime=bpf.",
        update: |_, _| Err(no_backend("bpf", "BPF")),
        ..BASE
    },
    Flag {
        long: Some("client-options"),
        doc: "What follows comes from the client of a compile server.",
        update: |low, _| {
            low.client_options = true;
            Ok(())
        },
        support: Support::Refused,
        ..BASE
    },
];

fn no_backend(mode: &str, feature: &str) -> ArgError {
    ArgError::Invalid(format!("ERROR: --runtime={mode} unavailable; this build lacks {feature} feature"))
}

#[cfg(test)]
mod tests {
    use super::super::{LowArgs, parse};

    fn read(line: &[&str]) -> Result<LowArgs, String> {
        let words: Vec<_> = std::iter::once("stap").chain(line.iter().copied()).map(Into::into).collect();
        parse(&words, false).map_err(|error| error.to_string())
    }

    #[test]
    fn module_names() {
        let low = read(&["-m", "foo.ko"]).unwrap();
        assert_eq!(low.module_name.as_deref(), Some("foo"));
        assert_eq!(low.remarks, ["Truncating module name to 'foo'"]);
        assert_eq!(read(&["-m", &"a".repeat(70)]).unwrap().module_name.unwrap().len(), 55);
        assert_eq!(read(&["-m", ".ko"]).unwrap_err(), "Module name cannot be empty.");
        assert!(read(&["-m", "a-b"]).unwrap_err().contains("Safety pattern mismatch for -m parameter"));
    }

    #[test]
    fn processes() {
        assert_eq!(read(&["-x", "12"]).unwrap().target_pid, Some(12));
        assert_eq!(read(&["-x", "a"]).unwrap_err(), "Invalid target process ID number.");
        assert!(read(&["--target-namespaces=0"]).is_err());
    }

    #[test]
    fn sysroot_comes_once_and_first() {
        assert!(read(&["--sysenv=A=b", "--sysroot=/x"]).is_err());
        assert!(read(&["--sysroot=/x", "--sysroot=/y"]).is_err());
        assert_eq!(read(&["--sysroot=/x", "--sysenv=A=b"]).unwrap().sysenv, [("A".into(), "b".into())]);
    }

    #[test]
    fn other_backends_are_refused() {
        assert!(read(&["--bpf"]).unwrap_err().contains("lacks BPF feature"));
        assert!(read(&["--runtime=kernel"]).is_ok());
        assert!(read(&["--runtime=x"]).unwrap_err().contains("invalid argument for --runtime"));
    }
}
