//! The planned form of a body: C statements without C spelling, expressions without side effects.
//!
//! Script expressions may assign, call and fail anywhere. Here that has been taken apart: a [`Val`] or a [`Text`] only
//! reads, so C may evaluate it in any order, and everything that changes something or can fail is an [`Op`].

use frontend::hir::{GlobalId, LocalId};
use frontend::tree::{BinaryOp, SortDirection, StatOp, UnaryOp};
use smol_str::SmolStr;
use std::ops::Deref;

/// A position in the script as text. All are equal: what does the same in two places is the same, and messages about it name
/// the first place, as stap's do (translate.cxx: `c_unparser::get_probe_dupe`).
#[derive(Clone, Debug)]
pub struct Spot(pub SmolStr);

impl From<String> for Spot {
    fn from(text: String) -> Spot {
        Spot(text.into())
    }
}

impl PartialEq for Spot {
    fn eq(&self, _: &Spot) -> bool {
        true
    }
}

impl Eq for Spot {}

impl Deref for Spot {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Something that holds a number or a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Local or parameter of the body.
    Local(LocalId),
    /// Scalar global.
    Global(GlobalId),
    /// Temporary number.
    Long(u32),
    /// Temporary string buffer.
    Buffer(u32),
    /// The function's value; for strings a pointer to a buffer of the caller.
    Return,
}

/// One key of an array operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// A number.
    Long(Val),
    /// A string.
    Text(Text),
}

/// A number: 64-bit signed, evaluated without side effects.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    /// A constant.
    Const(i64),
    /// What a place holds.
    Place(Place),
    /// Prefix operator.
    Unary(UnaryOp, Box<Val>),
    /// Infix operator; division only by a divisor that has been checked.
    Binary(BinaryOp, Box<Val>, Box<Val>),
    /// `c ? a : b`.
    Select(Box<Val>, Box<Val>, Box<Val>),
    /// Comparison of two strings.
    Compare(BinaryOp, Box<Text>, Box<Text>),
    /// Regular expression match.
    Match {
        /// Number in [`Plan::regexes`](super::Plan::regexes).
        regex: usize,
        /// True for `!~`.
        negated: bool,
        /// The string.
        subject: Box<Text>,
    },
    /// Element of an array of numbers.
    Element(GlobalId, Vec<Arg>),
    /// 1 if the array has such an element.
    Exists(GlobalId, Vec<Arg>),
    /// What a foreach cursor points at.
    Cursor(CursorRead),
    /// A number out of a statistic that is known not to be empty.
    Stat {
        /// Pointer temporary.
        data: u32,
        /// Which number; `None` for the count without a test.
        op: StatOp,
    },
    /// Bucket of a histogram; the index has been checked.
    Bucket {
        /// Pointer temporary.
        data: u32,
        /// The bucket.
        index: Box<Val>,
        /// The pointer has not been checked: a null one has empty buckets.
        guarded: bool,
    },
    /// Number of buckets of a statistic's histogram.
    Buckets(GlobalId),
    /// Embedded C.
    Code(SmolStr),
    /// A DWARF register.
    Register {
        /// User registers.
        user: bool,
        /// Its number.
        number: i64,
    },
    /// Memory.
    Deref {
        /// User memory.
        user: bool,
        /// 1, 2, 4 or 8 bytes.
        size: i64,
        /// The address.
        address: Box<Val>,
    },
}

/// What is read through the cursor of a foreach.
#[derive(Debug, Clone, PartialEq)]
pub enum CursorRead {
    /// The n-th key, from 0.
    Key {
        /// Cursor temporary.
        cursor: u32,
        /// The array.
        array: GlobalId,
        /// Which key.
        key: usize,
    },
    /// The value.
    Value {
        /// Cursor temporary.
        cursor: u32,
        /// The array.
        array: GlobalId,
    },
}

/// A string, evaluated without side effects and without a copy.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// Literal, C escapes still in it.
    Literal(SmolStr),
    /// What a place holds.
    Place(Place),
    /// Pointer temporary, set by [`Op::Point`].
    Pointer(u32),
    /// Element of an array of strings.
    Element(GlobalId, Vec<Arg>),
    /// What a foreach cursor points at.
    Cursor(CursorRead),
    /// Embedded C.
    Code(SmolStr),
    /// `c->last_error`, in catch handlers.
    LastError,
}

/// What a format prints.
#[derive(Debug, Clone, PartialEq)]
pub enum HistSource {
    /// A scalar statistic.
    Scalar(GlobalId),
    /// An element of an array of statistics.
    Element(GlobalId),
}

/// Where the pointer to a statistic comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum StatSource {
    /// `_stp_stat_get`.
    Scalar(GlobalId),
    /// Lookup, which aggregates that element.
    Element(GlobalId, Vec<Arg>),
    /// Lookup in the array that an enclosing foreach has aggregated.
    Aggregated(GlobalId, Vec<Arg>),
    /// The element of a foreach cursor.
    Cursor {
        /// Cursor temporary.
        cursor: u32,
        /// The array.
        array: GlobalId,
    },
}

/// Text of a run-time error.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// `division by 0`.
    DivisionByZero,
    /// `empty aggregate`.
    EmptyAggregate,
    /// `histogram index out of range`.
    BucketRange,
    /// `all functions exhausted`.
    Exhausted,
    /// `aggregation overflow in ...`.
    Aggregation(GlobalId),
    /// `Array overflow, check ...`.
    Overflow(GlobalId),
}

/// Sort column of a foreach.
#[derive(Debug, Clone, PartialEq)]
pub enum SortBy {
    /// The value of a plain array.
    Value,
    /// A number of a statistic; the count if it cannot be sorted by.
    Stat(StatOp),
    /// The n-th key, from 0.
    Key(usize),
}

/// One call of a script function.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Index into [`Plan::functions`](super::Plan::functions).
    pub function: usize,
    /// In the order of the parameters.
    pub args: Vec<Arg>,
    /// Buffer for a string result.
    pub result: Option<Place>,
    /// Position of the call.
    pub at: Spot,
}

/// A step of a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Where the following statement stands in the script; a comment.
    Position(Spot),
    /// `place = value;` on numbers.
    Set(Place, Val),
    /// `place op= value;` on numbers.
    Update(Place, BinaryOp, Val),
    /// Copies a string.
    Copy(Place, Text),
    /// Appends a string.
    Append(Place, Text),
    /// Sets a pointer temporary.
    Point(u32, Text),
    /// Embedded C that is run for its effects, or that needs macros for globals; the value goes to a temporary.
    Code {
        /// Where to: a number or a pointer temporary, `None` if nobody asks.
        to: Option<CodeResult>,
        /// The text.
        code: SmolStr,
        /// Globals that it names by pragma: (unmangled name, global, written).
        globals: Vec<(SmolStr, GlobalId, bool)>,
    },
    /// Evaluates a number for its faults only.
    Eval(Val),
    /// `if`.
    If(Val, Vec<Op>, Vec<Op>),
    /// A label of this body.
    Label(Label),
    /// Jump to a label of this body.
    Goto(Label),
    /// `goto out`.
    Leave,
    /// `c->next = 1; goto out`.
    NextOverload,
    /// Raises an error unless the condition holds: `if (unlikely(!(...)))`.
    Check {
        /// What must not be 0.
        condition: Val,
        /// The error.
        fault: Fault,
        /// Position to blame.
        at: Spot,
    },
    /// Tells where the body is, for an error of C text that tells nothing itself.
    At(Spot),
    /// Leaves if what was called, or C text, has set an error.
    LeaveOnError,
    /// Subtracts statements from what the handler may still run.
    Actions {
        /// How many.
        count: u32,
        /// Position to blame.
        at: Spot,
    },
    /// Takes the probe's locks; nothing before can have taken them.
    FirstLock,
    /// Takes the probe's locks unless it has them.
    Lock,
    /// Releases the probe's locks.
    Unlock,
    /// Calls a function and leaves on error.
    Call(Call),
    /// Leaves the rest of a list of overloads unless the last call said `next`.
    UnlessNext(Label),
    /// Raises "all functions exhausted" if the last call said `next`.
    Exhausted {
        /// Position to blame.
        at: Spot,
    },
    /// Number result of the function that was just called.
    TakeResult {
        /// Where to.
        to: Place,
        /// Which function.
        function: usize,
    },
    /// `_stp_print`.
    Print(Text),
    /// `_stp_print_char`.
    PrintChar(Val),
    /// A compiled format.
    Format {
        /// Index into [`Plan::formats`](super::Plan::formats).
        format: usize,
        /// The values.
        args: Vec<Arg>,
        /// Buffer for the string forms.
        result: Option<Place>,
        /// Where it stands, if it reads memory and so may fail.
        at: Option<Spot>,
    },
    /// `if (size > PAGE_SIZE)` error of `%m` and `%M`.
    CheckDump {
        /// Number of bytes.
        size: Val,
        /// Position to blame.
        at: Spot,
    },
    /// Prints a histogram.
    PrintHist {
        /// Whose.
        source: HistSource,
        /// Pointer temporary.
        data: u32,
        /// Buffer for the string form.
        result: Option<Place>,
    },
    /// Stores an element.
    SetElement {
        /// The array.
        array: GlobalId,
        /// Keys.
        keys: Vec<Arg>,
        /// Value.
        value: Arg,
        /// Position to blame.
        at: Spot,
    },
    /// Adds a sample to a scalar statistic.
    Sample(GlobalId, Val),
    /// Adds a sample to an element.
    SampleElement {
        /// The array.
        array: GlobalId,
        /// Keys.
        keys: Vec<Arg>,
        /// Sample.
        value: Val,
        /// Position to blame.
        at: Spot,
    },
    /// Fetches a pointer to a statistic.
    FetchStat {
        /// Pointer temporary.
        to: u32,
        /// From where.
        source: StatSource,
    },
    /// Raises "empty aggregate" if the pointer is null or counts nothing.
    CheckStat {
        /// Pointer temporary.
        data: u32,
        /// Position to blame.
        at: Spot,
    },
    /// A count or sum: 0 if the pointer is null.
    CountOrSum {
        /// Where to.
        to: Place,
        /// Pointer temporary.
        data: u32,
        /// Which.
        op: StatOp,
    },
    /// Aggregates an array of statistics over all processors.
    Aggregate {
        /// The array.
        array: GlobalId,
        /// Position to blame.
        at: Spot,
    },
    /// Sorts an array.
    Sort {
        /// The array.
        array: GlobalId,
        /// By what.
        by: SortBy,
        /// Direction.
        direction: SortDirection,
        /// Only so many need be in order.
        limit: Option<Val>,
    },
    /// Sets a cursor to the first element.
    Start {
        /// Cursor temporary.
        cursor: u32,
        /// The array.
        array: GlobalId,
    },
    /// Moves a cursor on.
    Advance {
        /// Cursor temporary.
        cursor: u32,
        /// The array.
        array: GlobalId,
    },
    /// Removes the cursor's element of a plain array and moves on.
    DeleteAtCursor {
        /// Cursor temporary.
        cursor: u32,
        /// The array.
        array: GlobalId,
    },
    /// `if (!cursor) goto label;`.
    UnlessCursor(u32, Label),
    /// Removes an element.
    DeleteElement(GlobalId, Vec<Arg>),
    /// Empties an array or a statistic.
    Clear(GlobalId),
    /// `try`.
    Try {
        /// The guarded steps.
        body: Vec<Op>,
        /// What catch does, after the error has been forgotten.
        handler: Vec<Op>,
        /// Local or global that receives the text.
        variable: Option<Place>,
        /// Steps that must be in the handler's scope before anything else: the action check.
        entry: Vec<Op>,
    },
    /// Stores to memory.
    StoreMemory {
        /// User memory.
        user: bool,
        /// Bytes.
        size: i64,
        /// Address.
        address: Val,
        /// Value.
        value: Val,
    },
    /// Stores to a register.
    StoreRegister {
        /// User registers.
        user: bool,
        /// DWARF number.
        number: i64,
        /// Value.
        value: Val,
    },
}

/// Where the value of embedded C goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeResult {
    /// A number.
    Long(Place),
    /// A pointer temporary.
    Pointer(u32),
}

/// A label, unique in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// What it is for.
    pub kind: LabelKind,
    /// Number.
    pub number: u32,
}

/// What a label is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelKind {
    /// Condition of a loop.
    Top,
    /// Step of a loop.
    Continue,
    /// Behind a loop.
    Break,
    /// Behind a list of overloads.
    CallEnd,
}

impl Label {
    /// Its C name.
    pub fn name(self) -> String {
        let prefix = match self.kind {
            LabelKind::Top => "top",
            LabelKind::Continue => "continue",
            LabelKind::Break => "break",
            LabelKind::CallEnd => "call_end",
        };
        format!("{prefix}_{}", self.number)
    }
}
