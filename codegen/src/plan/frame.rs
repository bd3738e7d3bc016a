//! How much memory a hit needs: what each processor keeps for handlers, beside the bounded use of the kernel's stack.

use super::Plan;
use super::storage::{BodyPlan, LocalPlace};
use frontend::tree::{FormatPart, Measure};
use frontend::types::Type;

/// Bytes of a string buffer unless `-D MAXSTRINGLEN` says otherwise (runtime_defines.h, 64 bit).
pub const STRING_BYTES: u64 = 512;

/// Sizes in bytes. All handlers share one frame, all functions of a nesting level another, all formats a third.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSizes {
    /// The largest handler's.
    pub handler: u64,
    /// The largest function's, once.
    pub function: u64,
    /// How often it is there.
    pub levels: u64,
    /// The largest format's.
    pub format: u64,
}

impl FrameSizes {
    /// All of it, for one processor.
    pub fn total(&self) -> u64 {
        self.handler + self.function * self.levels + self.format
    }
}

/// Computes the sizes; alignment aside they are those of the C structures.
pub fn frame_sizes(plan: &Plan) -> FrameSizes {
    let handlers = plan.probes.iter().filter(|probe| probe.owns_handler).map(|probe| body_bytes(&probe.body));
    let functions = plan.functions.iter().map(|function| {
        let result = if function.result == Type::Unknown { 0 } else { 8 };
        body_bytes(&function.body) + result
    });
    let formats = plan.formats.iter().map(|format| {
        let args: u64 = format
            .parts
            .iter()
            .map(|part| match part {
                FormatPart::Text(_) => 0,
                FormatPart::Conversion(conversion) => {
                    1 + u64::from(conversion.width == Measure::Dynamic)
                        + u64::from(conversion.precision == Measure::Dynamic)
                }
            })
            .sum();
        8 * (args + u64::from(!format.to_stream))
    });
    FrameSizes {
        handler: handlers.max().unwrap_or(0),
        function: functions.max().unwrap_or(0),
        levels: u64::from(plan.nesting.levels()) + 1,
        format: formats.max().unwrap_or(0),
    }
}

fn body_bytes(body: &BodyPlan) -> u64 {
    let locals: u64 = body
        .locals
        .iter()
        .map(|local| match local.place {
            Some(LocalPlace::Buffer) => STRING_BYTES,
            Some(LocalPlace::Long | LocalPlace::Pointer) => 8,
            Some(LocalPlace::Automatic) | None => 0,
        })
        .sum();
    let longs = u64::from(body.sizes.longs - body.automatic_longs());
    locals + 8 * longs + STRING_BYTES * u64::from(body.sizes.buffers)
}
