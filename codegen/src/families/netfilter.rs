//! `netfilter.*`: packets at the hooks of the kernel's network filter.
//!
//! | point | meaning |
//! |---|---|
//! | `netfilter.hook("H").pf("P")[.priority("N")]` | a packet passes hook H of protocol family P |
//! | `netfilter.pf("P").hook("H")[.priority("N")]` | the same |
//!
//! Families: `NFPROTO_IPV4`, `NFPROTO_IPV6`, `NFPROTO_ARP`, `NFPROTO_BRIDGE`, each with its own hook and priority names; with
//! `-g` any other text goes to C as it is. Variables: `$hooknum $skb $in $out $okfn`, and with `-g` `$verdict`, which may
//! be assigned. Privileged. Runtime: `linux/netfilter.c`. Source: upstream tapset-netfilter.cxx.

use super::{EmitFamily, Group, GroupContext, GroupProbe, Mechanism, Sections};
use crate::emit::entry::Entry;
use crate::emit::writer::CWriter;
use crate::families::point::{self, pattern, variable};
use frontend::hir::{Attachment, Probe};
use frontend::resolve::derive::{
    Answer, DeriveContext, Derived, EntryLocal, Family, Pattern, TargetUse, Targets,
};
use frontend::syntax::ast::{Parsed, ProbePoint};
use frontend::tree::{Expr, ExprKind, Target, TargetBase};
use smol_str::SmolStr;
use std::any::Any;
use std::sync::Arc;

/// A netfilter probe; the texts go to C as they are.
#[derive(Debug)]
pub struct Netfilter {
    /// Hook number.
    pub hook: SmolStr,
    /// Protocol family.
    pub family: SmolStr,
    /// Priority.
    pub priority: SmolStr,
}

impl Attachment for Netfilter {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

const PATTERNS: &[Pattern] = &[
    pattern!(Privileged: ("netfilter", None), ("hook", String), ("pf", String)),
    pattern!(Privileged: ("netfilter", None), ("hook", String), ("pf", String), ("priority", String)),
    pattern!(Privileged: ("netfilter", None), ("pf", String), ("hook", String)),
    pattern!(Privileged: ("netfilter", None), ("pf", String), ("hook", String), ("priority", String)),
];

/// What a protocol family knows by name.
struct Protocol {
    name: &'static str,
    number: &'static str,
    hooks: &'static [(&'static str, &'static str)],
    priorities: &'static [(&'static str, i32)],
}

const INET_PRIORITIES: &[(&str, i32)] = &[
    ("FIRST", i32::MIN),
    ("CONNTRACK_DEFRAG", -400),
    ("RAW", -300),
    ("SELINUX_FIRST", -225),
    ("CONNTRACK", -200),
    ("MANGLE", -150),
    ("NAT_DST", -100),
    ("FILTER", 0),
    ("SECURITY", 50),
    ("NAT_SRC", 100),
    ("SELINUX_LAST", 225),
    ("LAST", i32::MAX),
];

const PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "NFPROTO_IPV4",
        number: "2",
        hooks: &[
            ("NF_INET_PRE_ROUTING", "0"),
            ("NF_INET_LOCAL_IN", "1"),
            ("NF_INET_FORWARD", "2"),
            ("NF_INET_LOCAL_OUT", "3"),
            ("NF_INET_POST_ROUTING", "4"),
            ("NF_IP_PRE_ROUTING", "0"),
            ("NF_IP_LOCAL_IN", "1"),
            ("NF_IP_FORWARD", "2"),
            ("NF_IP_LOCAL_OUT", "3"),
            ("NF_IP_POST_ROUTING", "4"),
        ],
        priorities: INET_PRIORITIES,
    },
    Protocol {
        name: "NFPROTO_IPV6",
        number: "10",
        hooks: &[
            ("NF_IP6_PRE_ROUTING", "0"),
            ("NF_IP6_LOCAL_IN", "1"),
            ("NF_IP6_FORWARD", "2"),
            ("NF_IP6_LOCAL_OUT", "3"),
            ("NF_IP6_POST_ROUTING", "4"),
        ],
        priorities: INET_PRIORITIES,
    },
    Protocol {
        name: "NFPROTO_ARP",
        number: "3",
        hooks: &[("NF_ARP_IN", "0"), ("NF_ARP_OUT", "1"), ("NF_ARP_FORWARD", "2")],
        priorities: &[],
    },
    Protocol {
        name: "NFPROTO_BRIDGE",
        number: "7",
        hooks: &[
            ("NF_BR_PRE_ROUTING", "0"),
            ("NF_BR_LOCAL_IN", "1"),
            ("NF_BR_FORWARD", "2"),
            ("NF_BR_LOCAL_OUT", "3"),
            ("NF_BR_POST_ROUTING", "4"),
        ],
        priorities: &[],
    },
];

/// The number of a priority's name in a family; IPv4 alone knows the last step of connection tracking.
fn priority_number(protocol: &Protocol, name: &str) -> Option<i32> {
    let (prefix, v4) = match protocol.name {
        "NFPROTO_IPV4" => ("NF_IP_PRI_", true),
        _ => ("NF_IP6_PRI_", false),
    };
    let name = name.strip_prefix(prefix)?;
    if v4 && name == "CONNTRACK_CONFIRM" {
        return Some(i32::MAX);
    }
    protocol.priorities.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// The family.
#[derive(Debug)]
pub struct NetfilterFamily;

impl Family for NetfilterFamily {
    fn name(&self) -> &'static str {
        "netfilter"
    }

    fn builder(&self) -> &'static str {
        "netfilter builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn derive(&self, context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        let text = |functor| point::string(point, functor).cloned();
        let (Some(hook), Some(family)) = (text("hook"), text("pf")) else { return Ok(Vec::new()) };
        let priority = text("priority").unwrap_or_else(|| "0".into());
        let protocol = PROTOCOLS.iter().find(|protocol| protocol.name == family);
        let number = protocol.map(|protocol| SmolStr::new_static(protocol.number));
        let known_hook = protocol.and_then(|protocol| {
            protocol.hooks.iter().find(|(name, _)| *name == hook).map(|(_, number)| *number)
        });
        let known_priority = protocol.and_then(|protocol| priority_number(protocol, &priority));
        let attachment = Netfilter {
            hook: known_hook.map_or_else(|| hook.clone(), SmolStr::new_static),
            family: number.clone().unwrap_or_else(|| family.clone()),
            priority: known_priority.map_or_else(|| priority.clone(), |number| number.to_string().into()),
        };
        let guru = context.session.guru;
        if !guru {
            let family = &attachment.family;
            let refuse = |site, message: String| Err(point::plain_error(site, message + "; need stap -g"));
            if attachment.priority.trim_start().parse::<i32>().is_err() {
                let what =
                    format!("unsupported netfilter priority \"{priority}\" for protocol family \"{family}\"");
                return refuse("netfilter.priority", what);
            }
            if protocol.is_some() && known_hook.is_none() {
                let what = format!("unsupported netfilter hook \"{hook}\" for protocol family \"{family}\"");
                return refuse("netfilter.hook", what);
            }
            if protocol.is_none() {
                let what = format!("unsupported netfilter protocol family \"{family}\"");
                return refuse("netfilter.family", what);
            }
        }
        let mut derived = Derived::plain(point.clone(), Arc::new(attachment));
        derived.targets = Some(Arc::new(Packet { guru }));
        derived.folds = true;
        derived.entry_locals =
            VARIABLES.iter().map(|(_, local)| EntryLocal { name: (*local).into() }).collect();
        Ok(vec![derived])
    }
}

/// Context variables and the locals that the entry code fills for them, in the order of listings: by name.
pub const VARIABLES: &[(&str, &str)] = &[
    ("$hooknum", "__nf_hooknum"),
    ("$in", "__nf_in"),
    ("$okfn", "__nf_okfn"),
    ("$out", "__nf_out"),
    ("$skb", "__nf_skb"),
    ("$verdict", "__nf_verdict"),
];

#[derive(Debug)]
struct Packet {
    guru: bool,
}

impl Targets for Packet {
    fn locate(
        &self,
        target: &Target<Parsed>,
        usage: &TargetUse<'_>,
        expr: &Expr<Parsed>,
    ) -> Answer<Expr<Parsed>> {
        let fail = |site, message: &str| point::refused(expr, site, message);
        if target.address_of {
            return fail("netfilter.address", "cannot take address of netfilter hook context variable");
        }
        let name = match &target.base {
            TargetBase::Symbol(name) => name.as_str(),
            TargetBase::Cast { .. } | TargetBase::Var { .. } | TargetBase::Value(_) => "",
        };
        let Some((_, local)) = VARIABLES.iter().find(|(known, _)| *known == name) else {
            return fail("netfilter.symbol", "unsupported context variable");
        };
        let verdict = name == "$verdict";
        let write = matches!(usage, TargetUse::Write { .. });
        if write && !verdict {
            return fail("netfilter.read-only", "write to netfilter parameter not permitted");
        }
        if verdict && !self.guru {
            return fail("netfilter.verdict", "write to netfilter verdict requires guru mode; need stap -g");
        }
        let local = variable(&expr.origin, local);
        Ok(match usage {
            TargetUse::Write { op, value } => Expr {
                origin: expr.origin.clone(),
                kind: ExprKind::Assign {
                    op: *op,
                    target: Box::new(local),
                    value: Box::new((*value).clone()),
                },
            },
            TargetUse::Read if target.path.is_empty() => local,
            TargetUse::Read => Expr {
                origin: expr.origin.clone(),
                kind: ExprKind::Target(Target {
                    base: TargetBase::Value(Box::new(local)),
                    address_of: false,
                    path: target.path.clone(),
                }),
            },
        })
    }
}

impl EmitFamily for NetfilterFamily {
    fn group(&self, _: &Probe) -> Option<Group> {
        Some(Group::Netfilter)
    }
}

/// The hooks of a session.
#[derive(Debug)]
pub struct NetfilterMechanism;

/// The parameters that kernels have passed to hooks, newest first, and what follows from them.
const CALLBACK_HEADS: &str = "#if defined(STAPCONF_NETFILTER_V44)\n\
     #define STAP_HOOK_PARAMETERS void *priv, struct sk_buff *nf_skb, const struct nf_hook_state *nf_state\n\
     #define STAP_HOOK_NUMBER nf_state->hook\n\
     #define STAP_HOOK_IN nf_state->in\n\
     #define STAP_HOOK_OUT nf_state->out\n\
     #elif defined(STAPCONF_NETFILTER_V41)\n\
     #define STAP_HOOK_PARAMETERS const struct nf_hook_ops *nf_ops, struct sk_buff *nf_skb, const struct nf_hook_state *nf_state\n\
     #define STAP_HOOK_NUMBER nf_ops->hooknum\n\
     #define STAP_HOOK_IN nf_state->in\n\
     #define STAP_HOOK_OUT nf_state->out\n\
     #else\n\
     #error \"netfilter hooks of kernels before 4.1 are not supported\"\n\
     #endif";

impl Mechanism for NetfilterMechanism {
    fn group(&self) -> Group {
        Group::Netfilter
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        let entries: Vec<_> =
            cx.probes.iter().filter_map(|probe| Some((probe, probe.attachment::<Netfilter>()?))).collect();
        let mut out = CWriter::new();
        out.line("/* netfilter hooks */");
        out.lines(
            "#include <linux/netfilter.h>\n#include <linux/skbuff.h>\n#include <linux/udp.h>\n\
             #include <linux/tcp.h>\n#include <linux/ip.h>\n#include \"linux/netfilter.c\"",
        );
        out.lines(CALLBACK_HEADS);
        for (index, (probe, hook)) in entries.iter().enumerate() {
            write_hook(&mut out, cx, index, probe, hook);
        }
        out.lines(
            "#undef STAP_HOOK_PARAMETERS\n#undef STAP_HOOK_NUMBER\n#undef STAP_HOOK_IN\n#undef STAP_HOOK_OUT",
        );
        // The callback cannot tell whose it is, so each probe has its own, and its own operations.
        let count = entries.len();
        let pointers: Vec<String> = (0..count).map(|index| format!("&netfilter_opts_{index}")).collect();
        out.line(format!(
            "static struct nf_hook_ops * const stap_netfilter_opts[] = {{ {} }};",
            pointers.join(", ")
        ));
        let points: Vec<String> =
            entries.iter().map(|(probe, _)| format!("{}->pp", probe.pointer())).collect();
        let mut init = String::new();
        for (index, point) in points.iter().enumerate() {
            let guard = if index == 0 { "" } else { "if (!rc) " };
            init.push_str(&format!(
                "{guard}{{\n\
                 \x20 probe_point = {point};\n\
                 \x20 rc = nf_register_hook (stap_netfilter_opts[{index}]);\n\
                 \x20 if (rc)\n\
                 \x20   for (i = {index} - 1; i >= 0; i--)\n\
                 \x20     nf_unregister_hook (stap_netfilter_opts[i]);\n\
                 }}\n"
            ));
        }
        Sections {
            declarations: out.finish(),
            init,
            exit: format!("for (i = 0; i < {count}; i++)\n  nf_unregister_hook (stap_netfilter_opts[i]);\n"),
            ..Sections::default()
        }
    }
}

fn write_hook(
    out: &mut CWriter,
    cx: &GroupContext<'_>,
    index: usize,
    probe: &GroupProbe<'_>,
    hook: &Netfilter,
) {
    let sources = [
        ("__nf_hooknum", "STAP_HOOK_NUMBER"),
        ("__nf_skb", "(uintptr_t) nf_skb"),
        ("__nf_in", "(uintptr_t) STAP_HOOK_IN"),
        ("__nf_out", "(uintptr_t) STAP_HOOK_OUT"),
        ("__nf_okfn", "(uintptr_t) nf_state->okfn"),
        ("__nf_verdict", "nf_verdict"),
    ];
    let before: Vec<String> = sources
        .iter()
        .filter_map(|(local, source)| Some(format!("{} = (int64_t) {source};", probe.entry_local(local)?)))
        .collect();
    let after = probe.entry_local("__nf_verdict").map(|local| format!("nf_verdict = (int) {local};"));
    out.open(format!("static unsigned int enter_netfilter_probe_{index} (STAP_HOOK_PARAMETERS) {{"));
    out.line(format!("const struct stap_probe * const stp = {};", probe.pointer()));
    out.line("int nf_verdict = NF_ACCEPT;");
    let entry = Entry {
        overload: false,
        before_handler: &before.join("\n"),
        after_handler: after.as_deref().unwrap_or(""),
        ..Entry::running("stp", "stp_probe_type_netfilter")
    };
    cx.entry(out, &entry);
    out.line("return nf_verdict;");
    out.close("}");
    out.open(format!("static struct nf_hook_ops netfilter_opts_{index} = {{"));
    out.line(format!(".hook = enter_netfilter_probe_{index},"));
    out.lines("#ifndef STAPCONF_NETFILTER_V44\n.owner = THIS_MODULE,\n#endif");
    out.line(format!(".hooknum = {},", hook.hook));
    out.line(format!(".pf = {},", hook.family));
    out.line(format!(".priority = {},", hook.priority));
    out.close("};");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::testing::{derive, derive_error};

    #[test]
    fn names_are_mapped_or_refused() {
        let derived = derive(
            &NetfilterFamily,
            "netfilter.hook(\"NF_INET_LOCAL_IN\").pf(\"NFPROTO_IPV4\").priority(\"NF_IP_PRI_RAW\")",
        );
        let attachment = derived[0].attachment.as_any().downcast_ref::<Netfilter>().unwrap();
        assert_eq!((attachment.hook.as_str(), attachment.family.as_str()), ("1", "2"));
        assert_eq!(attachment.priority, "-300");
        assert_eq!(
            derive_error(&NetfilterFamily, "netfilter.hook(\"X\").pf(\"NFPROTO_IPV6\")"),
            "unsupported netfilter hook \"X\" for protocol family \"10\"; need stap -g"
        );
        assert_eq!(
            derive_error(&NetfilterFamily, "netfilter.hook(\"X\").pf(\"Y\")"),
            "unsupported netfilter protocol family \"Y\"; need stap -g"
        );
    }
}
