//! Tables of the functions that the executor calls for a custom scan (nodes/extensible.h). No plan has one of ours:
//! such nodes are made for EXPLAIN, or stand in a copy of a plan.

use super::pg_sys;

/// A table that PostgreSQL keeps pointers to.
pub struct Methods<T>(pub T);
// SAFETY: function pointers and names, never written.
unsafe impl<T> Sync for Methods<T> {}

static NAME: [u8; 11] = *b"SafeDelete\0";

/// Of a plan node, without a function.
pub const SCAN: pg_sys::CustomScanMethods =
    pg_sys::CustomScanMethods { CustomName: (&raw const NAME).cast(), CreateCustomScanState: None };

/// Of its state, without a function.
pub const EXEC: pg_sys::CustomExecMethods = pg_sys::CustomExecMethods {
    CustomName: (&raw const NAME).cast(),
    BeginCustomScan: None,
    ExecCustomScan: None,
    EndCustomScan: None,
    ReScanCustomScan: None,
    MarkPosCustomScan: None,
    RestrPosCustomScan: None,
    EstimateDSMCustomScan: None,
    InitializeDSMCustomScan: None,
    ReInitializeDSMCustomScan: None,
    InitializeWorkerCustomScan: None,
    ShutdownCustomScan: None,
    ExplainCustomScan: None,
};
