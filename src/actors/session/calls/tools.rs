//! `tools`: the catalogue, and which of its tools are installed.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::actors::session::call::{Call, CallContext, CallError, Hints};
use crate::protocol::api::ToolsAnswer;

/// The arguments of a tool that has none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

pub(super) struct Tools;

impl Call for Tools {
    const NAME: &'static str = "tools";
    const TITLE: &'static str = "List analysis tools";
    const DESCRIPTION: &'static str = "Lists the analysis tools this daemon can run: name, pinned version, which kinds \
        of file each reads, whether it needs the network, and whether it is installed. Use a name in `scan`.";
    const HINTS: Hints = Hints::READ;
    type Arguments = Nothing;
    type Answer = ToolsAnswer;

    async fn call(Nothing {}: Nothing, context: CallContext) -> Result<ToolsAnswer, CallError> {
        Ok((context.handles.tools)())
    }
}
