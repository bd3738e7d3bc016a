//! Tests of the validation: options against each other and the environment.

use super::*;
use frontend::world::MemoryWorld;

fn env() -> Environment {
    Environment {
        release: "6.1.0-x".into(),
        machine: "x86_64".into(),
        directory: "/".into(),
        ..Environment::default()
    }
}

fn read_with(env: &Environment, line: &[&str]) -> Result<Settings, String> {
    let words: Vec<_> = std::iter::once("stap").chain(line.iter().copied()).map(Into::into).collect();
    let low = args::parse(&words, false).map_err(|error| error.to_string())?;
    Settings::new(low, env, &MemoryWorld::new()).map_err(|error| error.to_string())
}

fn read(line: &[&str]) -> Result<Settings, String> {
    read_with(&env(), line)
}

#[test]
fn the_first_word_is_the_script_unless_there_is_one() {
    let settings = read(&["x.stp", "a", "b"]).unwrap();
    assert_eq!(
        (settings.script, settings.arguments),
        (ScriptSource::File("x.stp".into()), vec!["a".into(), "b".into()])
    );
    let settings = read(&["-", "a"]).unwrap();
    assert_eq!((settings.script, settings.arguments), (ScriptSource::Stdin, vec!["a".into()]));
    let settings = read(&["-e", "t", "a"]).unwrap();
    assert_eq!((settings.script, settings.arguments), (ScriptSource::Text(b"t".to_vec()), vec!["a".into()]));
    let settings = read(&["-l", "p", "a"]).unwrap();
    assert_eq!((settings.script, settings.arguments), (ScriptSource::Pattern("p".into()), vec!["a".into()]));
}

#[test]
fn what_does_not_go_together() {
    let cases: [(&[&str], &str); 7] = [
        (&[], "A script must be specified.\nTry '-i' for building a script interactively."),
        (&["-l", "p", "-e", "x"], "Cannot specify a script with -l/-L/--dump-* switches."),
        (&["-l", "p", "-p2"], "Cannot specify -p with -l/-L/--dump-* switches."),
        (&["-e", "x", "-c", "ls", "-x", "1"], "You can't specify -c and -x together."),
        (&["-g", "--unprivileged", "-e", "x"], "You can't specify -g and --privilege=stapusr together."),
        (
            &["--emit-staprun=x", "-p3", "-e", "x"],
            "You can't specify --emit-staprun and a last pass before 4 together.",
        ),
        (
            &["-m", "a-b", "-e", "x"],
            "ERROR: Safety pattern mismatch for -m parameter ('a-b' vs. '^[a-z0-9_]+$') rc=1",
        ),
    ];
    for (line, message) in cases {
        assert_eq!(read(line).unwrap_err(), message);
    }
}

#[test]
fn who_may_run() {
    let user = |groups: &[&str]| Environment {
        uid: 1000,
        groups: groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>().into(),
        ..env()
    };
    let error = read_with(&user(&[]), &["-e", "x"]).unwrap_err();
    assert!(error.starts_with("You are trying to run systemtap as a normal user.\n"), "{error}");
    assert!(read_with(&user(&["stapusr"]), &["-e", "x"]).unwrap_err().contains("privilege level stapusr"));
    assert!(read_with(&user(&["stapdev"]), &["-e", "x"]).is_ok());
    assert!(read_with(&user(&[]), &["-e", "x", "-p4"]).is_ok());
}

#[test]
fn another_kernel_ends_with_pass_4() {
    let settings = read(&["-e", "x", "-r", "9"]).unwrap();
    assert_eq!(settings.last_pass, 4);
    assert_eq!(settings.warnings, ["kernel release/architecture mismatch with host forces last-pass 4."]);
    assert_eq!(read(&["-e", "x", "-r", "6.1.0-x", "-a", "x86_64"]).unwrap().last_pass, 5);
    assert_eq!(read(&["-e", "x", "-a", "aarch64"]).unwrap().arch, "arm64");
}

#[test]
fn the_temporary_directory_must_be_harmless() {
    let mut env = env();
    env.variables.insert("TMPDIR".into(), "/tmp/a b".into());
    assert!(read_with(&env, &["-e", "x"]).unwrap_err().contains("Safety pattern mismatch for TMPDIR"));
}

#[test]
fn equal_runs_have_equal_module_names() {
    let name = |line: &[&str]| read(line).unwrap().module_name("5.6", "6.1.0-x");
    assert_eq!(name(&["-e", "x"]), name(&["-v", "-e", "x"]));
    assert_ne!(name(&["-e", "x"]), name(&["-e", "y"]));
    assert_ne!(name(&["-e", "x"]), name(&["-g", "-e", "x"]));
    assert!(name(&["-e", "x"]).len() <= 55);
    assert_eq!(name(&["-m", "mine", "-e", "x"]), "mine");
}

#[test]
fn the_form_follows_the_terminal_unless_asked() {
    let words = |line: &[&str]| args::parse(&line.iter().map(Into::into).collect::<Vec<_>>(), false).unwrap();
    let terminal = Environment { stderr_is_terminal: true, ..env() };
    assert_eq!(form(&words(&["stap"]), &env()), Form::Stap(Palette::none()));
    assert_eq!(form(&words(&["stap"]), &terminal), Form::Rich(true));
    let mut dumb = Environment { stderr_is_terminal: true, ..env() };
    dumb.variables.insert("TERM".into(), "dumb".into());
    assert_eq!(form(&words(&["stap"]), &dumb), Form::Stap(Palette::none()));
    assert_eq!(
        form(&words(&["stap", "--diagnostics=stap", "--color=never"]), &terminal),
        Form::Stap(Palette::none())
    );
    assert_eq!(form(&words(&["stap", "--diagnostics=json"]), &terminal), Form::Json);
    assert_eq!(form(&words(&["stap", "--color"]), &env()), Form::Stap(Palette::parse(None)));
}
