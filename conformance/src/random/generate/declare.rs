//! Declarations, and the program that they make up.

use super::{Function, Generator, Global, Histogram, Macro, Scope, Value};
use crate::random::tree::{Kind, Piece, Program, Statement, pieces, statement};

/// Ranges of linear histograms.
const LINEAR: &[&str] = &["0, 40, 5", "-10, 10, 1", "0, 1000, 100", "5, 6, 1"];

/// Functions in C with their names, parameters and results.
const EMBEDDED: &[(&str, &[Kind], Kind, &str)] = &[
    (
        "triple",
        &[Kind::Long],
        Kind::Long,
        "function triple:long(x:long) %{ /* pure */ STAP_RETURN(STAP_ARG_x * 3); %}",
    ),
    (
        "angled",
        &[Kind::Text],
        Kind::Text,
        "function angled:string(s:string) %{ /* pure */ /* unmodified-fnargs */ \
         snprintf(STAP_RETVALUE, MAXSTRINGLEN, \"<%s>\", STAP_ARG_s); %}",
    ),
];

impl Generator {
    /// A whole program.
    pub(super) fn whole(&mut self) -> Program {
        let mut options = self.options();
        let mut declarations = Vec::new();
        self.declare_globals(&mut declarations, &mut options);
        self.declare_macros(&mut declarations);
        if self.dice.chance(25) {
            options.push("-g".into());
            for &(name, parameters, result, text) in EMBEDDED {
                declarations.push(statement![text]);
                self.functions.push(Function {
                    name: name.into(),
                    parameters: parameters.into(),
                    result,
                    writes: [].into(),
                    has_effects: false,
                    fails: false,
                    recurses: false,
                });
            }
        }
        self.merges = self.dice.chance(20);
        for _ in 0..self.dice.between(2, 6) {
            self.declare_function(&mut declarations);
        }
        self.declare_probes(&mut declarations);
        Program { options, declarations }
    }

    fn options(&mut self) -> Vec<String> {
        let mut options = Vec::new();
        for (percent, option, values) in [
            (25, "-DMAXSTRINGLEN=", &["40", "64", "100", "128", "1000"] as &[&str]),
            (10, "-DMAXMAPENTRIES=", &["1", "2", "5", "10"]),
            (15, "-DMAXERRORS=", &["1", "2", "5"]),
            (8, "-DMAXACTION_INTERRUPTIBLE=", &["5", "50", "200", "500"]),
            (5, "-DMAXACTION=", &["10", "100"]),
            (8, "-DMAXNESTING=", &["3", "4", "8"]),
            (8, "-", &["u"]),
            (3, "--", &["suppress-handler-errors"]),
            (4, "--compatible=", &["4.0", "4.2", "5.0"]),
            (4, "-DSTP_", &["NO_OVERLOAD"]),
        ] {
            if self.dice.chance(percent) {
                options.push(format!("{option}{}", self.dice.pick(values)));
            }
        }
        options
    }

    fn declare_globals(&mut self, declarations: &mut Vec<Statement>, options: &mut Vec<String>) {
        for kind in [Kind::Long, Kind::Long, Kind::Text] {
            self.declare_scalar(kind, declarations, options);
        }
        for _ in 0..self.dice.between(0, 2) {
            let kind = self.kind();
            self.declare_scalar(kind, declarations, options);
        }
        for _ in 0..self.dice.between(2, 4) {
            let kind = self.kind();
            self.declare_array(Value::Plain(kind), declarations);
        }
        for _ in 0..self.dice.between(1, 3) {
            let histogram = match self.dice.below(3) {
                0 => Histogram::None,
                1 => Histogram::Log,
                _ => Histogram::Linear(self.dice.pick(LINEAR)),
            };
            if self.dice.chance(50) {
                self.declare_array(Value::Statistic(histogram), declarations);
                continue;
            }
            let name = self.name("s");
            declarations.push(statement![format!("global {name}")]);
            self.globals.push(Global { name, keys: vec![], value: Value::Statistic(histogram) });
        }
    }

    fn declare_scalar(&mut self, kind: Kind, declarations: &mut Vec<Statement>, options: &mut Vec<String>) {
        let name = self.name("g");
        let private = if self.dice.chance(10) { "private " } else { "" };
        let initial = match kind {
            Kind::Long => self.dice.between(0, 20).to_string(),
            Kind::Text => self.literal(),
        };
        let initial = if self.dice.chance(60) { format!(" = {initial}") } else { String::new() };
        declarations.push(statement![format!("{private}global {name}{initial}")]);
        if private.is_empty() && self.dice.chance(5) {
            options.extend(["-G".into(), format!("{name}={}", self.dice.between(1, 9))]);
        }
        self.globals.push(Global { name, keys: vec![], value: Value::Plain(kind) });
    }

    fn declare_array(&mut self, value: Value, declarations: &mut Vec<Statement>) {
        let count = self.dice.weighted(&[(8, 1), (5, 2), (2, 3), (1, 5), (1, 9)]);
        let keys: Vec<Kind> = (0..count).map(|_| self.kind()).collect();
        let name = self.name("a");
        let wraps = if self.dice.chance(15) { "%" } else { "" };
        let sized = self.dice.chance(30);
        let size =
            if sized || !wraps.is_empty() { format!("[{}]", self.dice.between(1, 9)) } else { String::new() };
        declarations.push(statement![format!("global {name}{wraps}{size}")]);
        self.globals.push(Global { name, keys, value });
    }

    fn declare_macros(&mut self, declarations: &mut Vec<Statement>) {
        for (kind, body) in [
            (Kind::Long, "(@a + @b * 2)"),
            (Kind::Long, "(@a < @b ? @b : @a)"),
            (Kind::Text, "(@a . \"/\" . @b)"),
        ] {
            if self.dice.chance(40) {
                let name = self.name("@m");
                declarations.push(statement![format!("@define {}(a, b) %( {body} %)", &name[1..])]);
                self.macros.push(Macro { name, kind });
            }
        }
    }

    /// Numbers and strings of a body's own, with their first values.
    fn locals(&mut self, scope: &mut Scope) -> Vec<Statement> {
        let mut first = Vec::new();
        for name in ["x", "y", "z"] {
            first.push(statement![format!("{name} = {};", self.number())]);
            scope.longs.push(name.into());
            scope.free_longs.push(name.into());
        }
        for name in ["t", "u"] {
            first.push(statement![format!("{name} = {};", self.literal())]);
            scope.texts.push(name.into());
            scope.free_texts.push(name.into());
        }
        first
    }

    fn declare_function(&mut self, declarations: &mut Vec<Statement>) {
        let name = self.name("fn");
        let result = self.kind();
        let recurses = self.dice.chance(20);
        let mut parameters: Vec<Kind> = (0..self.dice.between(0, 3)).map(|_| self.kind()).collect();
        if recurses {
            parameters.insert(0, Kind::Long);
        }
        let calm = self.dice.chance(35);
        let careless = !calm && self.dice.chance(15);
        let scope = Scope { calm, quiet: calm, careless, function: Some(result), ..Scope::default() };
        let mut function = Function {
            name,
            parameters,
            result,
            writes: [].into(),
            has_effects: !calm,
            fails: careless,
            recurses,
        };
        // Candidates of one name are tried in order until one does not give up.
        let candidates = if self.dice.chance(15) { 2 } else { 1 };
        for candidate in 0..candidates {
            let gives_up = candidate + 1 < candidates;
            let priority = if candidates > 1 { format!(":{}", candidate + 1) } else { String::new() };
            let declaration = self.candidate(&mut function, scope.clone(), &priority, gives_up);
            declarations.push(declaration);
        }
        self.functions.push(function);
    }

    /// One function of those with a name; notes what it writes.
    fn candidate(
        &mut self,
        function: &mut Function,
        mut scope: Scope,
        priority: &str,
        gives_up: bool,
    ) -> Statement {
        let mut formals = Vec::new();
        for (index, &kind) in function.parameters.iter().enumerate() {
            let name = format!("p{index}");
            let annotation = if self.dice.chance(70) { format!(":{}", kind.name()) } else { String::new() };
            // One whose type nothing shows has it from the first call.
            formals.push(format!("{name}{annotation}"));
            let is_depth = function.recurses && index == 0;
            let (names, free) = match kind {
                Kind::Long => (&mut scope.longs, &mut scope.free_longs),
                Kind::Text => (&mut scope.texts, &mut scope.free_texts),
            };
            names.push(name.clone());
            if !is_depth {
                free.push(name);
            }
        }
        let mut body = self.locals(&mut scope);
        if gives_up {
            body.push(statement!["if (", self.quiet(&mut scope, Kind::Long, 2), ") next;"]);
        }
        if function.recurses {
            let least = self.expression(&mut scope, function.result, 1);
            body.push(statement!["if (p0 <= 0) return ", least, ";"]);
            let mut call: Vec<Piece> = pieces![format!("{}(p0 - 1", function.name)];
            for &kind in &function.parameters.clone()[1..] {
                call.extend(pieces![", ", self.quiet(&mut scope, kind, 1)]);
            }
            call.push(")".into());
            let target = if function.result == Kind::Long { "x = x + " } else { "t = t . " };
            body.push(statement![target, call, ";"]);
        }
        self.left = self.dice.between(2, 8);
        body.extend(self.block(&mut scope, 6));
        let result = self.expression(&mut scope, function.result, 2);
        body.push(statement!["return ", result, ";"]);
        function.writes.extend(scope.writes);
        let head = format!(
            "function {}:{}({}){priority} ",
            function.name,
            function.result.name(),
            formals.join(", ")
        );
        statement![head, body]
    }

    fn probe(&mut self, declarations: &mut Vec<Statement>, point: &str, most: usize, first: Vec<Statement>) {
        let mut scope = Scope::default();
        let mut body = first;
        body.extend(self.locals(&mut scope));
        self.left = most;
        while self.left > 0 {
            body.extend(self.block(&mut scope, 8));
        }
        declarations.push(statement![format!("probe {point} "), body]);
    }

    /// A probe that shows the type of each array and each statistic.
    fn first_values(&mut self) -> Statement {
        let mut body = Vec::new();
        for index in
            self.globals(|global| !global.keys.is_empty() || global.value != Value::Plain(Kind::Long))
        {
            let Global { name, keys, value } = self.globals[index].clone();
            let keys: Vec<&str> =
                keys.iter().map(|kind| if *kind == Kind::Long { "1" } else { "\"a\"" }).collect();
            let element = if keys.is_empty() { name } else { format!("{name}[{}]", keys.join(", ")) };
            body.push(match value {
                Value::Plain(kind) => {
                    statement![element, " = ", self.expression(&mut Scope::default(), kind, 0), ";"]
                }
                Value::Statistic(_) => statement![element, " <<< ", self.number(), ";"],
            });
        }
        statement!["probe begin(-1) ", body]
    }

    fn declare_probes(&mut self, declarations: &mut Vec<Statement>) {
        declarations.push(self.first_values());
        for place in 0..self.dice.between(1, 3) {
            let point = match self.dice.below(6) {
                0 => {
                    let names = self.scalars(Kind::Long);
                    format!("begin({place}) if ({} >= 0)", names[self.dice.below(names.len())])
                }
                _ if self.merges => "begin".into(),
                _ => format!("begin({place})"),
            };
            let most = self.dice.between(20, 45);
            self.probe(declarations, &point, most, vec![]);
        }
        if self.dice.chance(12) {
            let mut scope = Scope { careless: true, ..Scope::default() };
            let mut body = self.locals(&mut scope);
            self.left = 8;
            body.extend(self.block(&mut scope, 8));
            body.push(statement!["error(\"at last\");"]);
            declarations.push(statement!["probe begin(50) ", body]);
        }
        if self.dice.chance(20) {
            let count = statement!["if (++ticks >= 3) exit();"];
            declarations.push(statement!["global ticks"]);
            let point = self.dice.pick(&["timer.ms(11)", "timer.jiffies(2)", "timer.hz(50)"]);
            self.probe(declarations, point, 10, vec![count]);
        } else {
            declarations.push(statement!["probe begin(9999) { exit() }"]);
        }
        if self.dice.chance(60) {
            let most = self.dice.between(5, 15);
            self.probe(declarations, "end", most, vec![]);
        }
        if self.dice.chance(40) {
            self.probe(declarations, "error", 5, vec![]);
        }
    }
}
