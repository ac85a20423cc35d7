//! What a heap's pages and row versions say.

use core::ffi::c_int;

use super::{pg_sys, raw};

/// Whether a table is a heap.
///
/// # Safety
/// `opened` is open.
#[allow(ffi_unwind_calls, reason = "reads a constant; raises nothing")]
pub unsafe fn is_heap(opened: pg_sys::Relation) -> bool {
    // SAFETY: by contract.
    unsafe { std::ptr::eq((*opened).rd_tableam, raw::GetHeapamTableAmRoutine()) }
}

/// From when on rows are looked for that this transaction has deleted.
#[derive(Clone, Copy)]
pub struct Since {
    pub command: pg_sys::CommandId,
    /// The table that is counted, alone or not.
    pub of: (pg_sys::Oid, bool),
    /// Whether it held before what a command seems to have inserted.
    pub were_there: fn((pg_sys::Oid, bool), pg_sys::CommandId) -> bool,
    /// Whether what a command has deleted is of no interest.
    pub is_nobodys: fn(pg_sys::CommandId) -> bool,
    /// Rows that have moved to another partition are gone, too.
    pub moved: bool,
}

/// The page to read next, and the rows that were seen.
#[derive(Clone, Copy)]
pub struct Seen {
    pub block: u32,
    pub rows: u64,
    /// Rows that this transaction has deleted.
    pub gone: u64,
}

/// Reads pages `from` to `to` until as many as `wanted` rows are seen, and the page's others. As a
/// sequential scan does, without its predicate locks and statistics.
///
/// # Safety
/// `opened` is a heap, open and locked; runs in `frame::call` and owns nothing.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
pub unsafe fn read_pages(
    opened: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    since: Option<Since>,
    from: u32,
    to: u32,
    wanted: u64,
) -> Seen {
    // SAFETY: by contract; an error gives pin and lock of the buffer back.
    unsafe {
        // As initscan: a large table must not drive the others out of memory.
        let strategy = if i64::from(to.saturating_sub(from)) > i64::from(pg_sys::NBuffers / 4) {
            raw::GetAccessStrategy(pg_sys::BufferAccessStrategyType::BAS_BULKREAD)
        } else {
            std::ptr::null_mut()
        };
        let mut seen = Seen { block: from, rows: 0, gone: 0 };
        while seen.block < to && seen.rows < wanted {
            if pg_sys::InterruptPending != 0 {
                raw::ProcessInterrupts();
            }
            let buffer = raw::ReadBufferExtended(
                opened,
                pg_sys::ForkNumber::MAIN_FORKNUM,
                seen.block,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                strategy,
            );
            raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as c_int);
            rows_on_page(opened, snapshot, since, buffer, &mut seen);
            raw::UnlockReleaseBuffer(buffer);
            seen.block += 1;
        }
        if !strategy.is_null() {
            raw::FreeAccessStrategy(strategy);
        }
        seen
    }
}

/// What is asked of a row version that is there: its header, and of what table, alone or not.
pub type Asked = unsafe fn(pg_sys::HeapTupleHeader, pg_sys::Oid, bool) -> bool;

/// How many rows of a table are there now of which `asked` says yes, and how many of these update no version.
///
/// # Safety
/// As `read_pages`; `asked` raises nothing.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
pub unsafe fn rows_of_which(opened: pg_sys::Relation, asked: Asked, of: (pg_sys::Oid, bool)) -> (u64, u64) {
    // SAFETY: by contract; an error gives pin and lock of the buffer back.
    unsafe {
        let blocks = pg_sys::RelationGetNumberOfBlocksInFork(opened, pg_sys::ForkNumber::MAIN_FORKNUM);
        let (mut yes, mut fresh) = (0, 0);
        for block in 0..blocks {
            if pg_sys::InterruptPending != 0 {
                raw::ProcessInterrupts();
            }
            let buffer = raw::ReadBufferExtended(
                opened,
                pg_sys::ForkNumber::MAIN_FORKNUM,
                block,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                std::ptr::null_mut(),
            );
            raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as c_int);
            let page = page_of(buffer);
            let mut tuple = pg_sys::HeapTupleData { t_tableOid: (*opened).rd_id, ..Default::default() };
            tuple.t_self.ip_blkid.bi_hi = (block >> 16) as u16;
            tuple.t_self.ip_blkid.bi_lo = block as u16;
            for (i, line) in lines_of(page).iter().enumerate().filter(|(_, line)| is_normal(**line)) {
                let (offset, length) = extent(*line);
                tuple.t_self.ip_posid = i as u16 + 1;
                tuple.t_data = page.add(offset).cast();
                tuple.t_len = length;
                let now = &raw mut pg_sys::SnapshotSelfData;
                if raw::HeapTupleSatisfiesVisibility(&raw mut tuple, now, buffer)
                    && asked(tuple.t_data, of.0, of.1)
                {
                    yes += 1;
                    fresh += u64::from(u32::from((*tuple.t_data).t_infomask) & pg_sys::HEAP_UPDATED == 0);
                }
            }
            raw::UnlockReleaseBuffer(buffer);
        }
        (yes, fresh)
    }
}

/// A page's line pointers.
///
/// # Safety
/// `page` is a heap's, pinned and locked for as long as the outcome is used.
unsafe fn lines_of<'a>(page: *mut u8) -> &'a [u32] {
    // SAFETY: by contract; they end at pd_lower.
    unsafe {
        let header = page.cast::<pg_sys::PageHeaderData>();
        let first = std::mem::offset_of!(pg_sys::PageHeaderData, pd_linp);
        let lines = usize::from((*header).pd_lower).saturating_sub(first) / size_of::<u32>();
        std::slice::from_raw_parts(page.add(first).cast::<u32>(), lines)
    }
}

/// Adds what is on page `seen.block`.
///
/// # Safety
/// As `read_pages`; `buffer` holds the page, pinned and share-locked.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn rows_on_page(
    opened: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    since: Option<Since>,
    buffer: pg_sys::Buffer,
    seen: &mut Seen,
) {
    // SAFETY: by contract; a page's line pointers end at pd_lower, and a normal one points at a tuple.
    unsafe {
        let page = page_of(buffer);
        let header = page.cast::<pg_sys::PageHeaderData>();
        let lines = lines_of(page);
        if u32::from((*header).pd_flags) & pg_sys::PD_ALL_VISIBLE != 0 && !(*snapshot).takenDuringRecovery {
            // Of a standby's snapshots PostgreSQL does not believe the bit.
            seen.rows += u64::from(lines.iter().map(|line| u32::from(is_normal(*line))).sum::<u32>());
            return;
        }
        let mut tuple = pg_sys::HeapTupleData { t_tableOid: (*opened).rd_id, ..Default::default() };
        tuple.t_self.ip_blkid.bi_hi = (seen.block >> 16) as u16;
        tuple.t_self.ip_blkid.bi_lo = seen.block as u16;
        for (i, line) in lines.iter().enumerate().filter(|(_, line)| is_normal(**line)) {
            let (offset, length) = extent(*line);
            tuple.t_self.ip_posid = i as u16 + 1;
            tuple.t_data = page.add(offset).cast();
            tuple.t_len = length;
            if raw::HeapTupleSatisfiesVisibility(&raw mut tuple, snapshot, buffer) {
                seen.rows += 1;
            } else if since.is_some_and(|since| is_gone(&tuple, since)) {
                seen.gone += 1;
            }
        }
    }
}

/// Whether this transaction has deleted a row since then, which was there before: not only a version of
/// it, as by an update, and not one that it has inserted itself.
///
/// # Safety
/// `tuple` is on a page that is pinned and locked.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn is_gone(tuple: &pg_sys::HeapTupleData, since: Since) -> bool {
    // SAFETY: by contract; cmax is asked of what this transaction has deleted alone.
    unsafe {
        let header = tuple.t_data;
        let bits = u32::from((*header).t_infomask);
        let frozen = pg_sys::HEAP_XMIN_COMMITTED | pg_sys::HEAP_XMIN_INVALID;
        has_no_next(tuple, since.moved)
            && deleted_by(header)
                .is_some_and(|command| command >= since.command && !(since.is_nobodys)(command))
            && (bits & pg_sys::HEAP_UPDATED != 0
                || bits & frozen == frozen
                || !raw::TransactionIdIsCurrentTransactionId((*header).t_choice.t_heap.t_xmin)
                || was_there(raw::HeapTupleHeaderGetCmin(header), since))
    }
}

/// Whether a version is its row's last one, or the last in its partition.
///
/// # Safety
/// As `is_gone`.
unsafe fn has_no_next(tuple: &pg_sys::HeapTupleData, moved: bool) -> bool {
    // SAFETY: by contract.
    let next = unsafe { (*tuple.t_data).t_ctid };
    let block = |at: pg_sys::ItemPointerData| (at.ip_blkid.bi_hi, at.ip_blkid.bi_lo);
    // As ItemPointerIndicatesMovedPartitions.
    let has_moved = || next.ip_posid == 0xfffd && block(next) == (u16::MAX, u16::MAX);
    (next.ip_posid == tuple.t_self.ip_posid && block(next) == block(tuple.t_self)) || (moved && has_moved())
}

/// Whether the rows that a command of this transaction's has inserted were there at a time.
fn was_there(inserted_by: pg_sys::CommandId, since: Since) -> bool {
    inserted_by < since.command || (since.were_there)(since.of, inserted_by)
}

/// The command of this transaction's that has deleted or updated a row version, if one has.
///
/// # Safety
/// `header` is a tuple's, on a page that is pinned.
#[allow(ffi_unwind_calls, reason = "called by bare frames and in frame::call; owns nothing")]
pub unsafe fn deleted_by(header: pg_sys::HeapTupleHeader) -> Option<pg_sys::CommandId> {
    // SAFETY: by contract; cmax is asked of what this transaction has deleted alone.
    unsafe {
        let bits = u32::from((*header).t_infomask);
        if bits & (pg_sys::HEAP_XMAX_INVALID | pg_sys::HEAP_XMAX_LOCK_ONLY) != 0 {
            return None;
        }
        raw::TransactionIdIsCurrentTransactionId(deleter(header)).then(|| raw::HeapTupleHeaderGetCmax(header))
    }
}

/// As HeapTupleHeaderGetUpdateXid.
///
/// # Safety
/// `header` is a tuple's that somebody has deleted or updated.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn deleter(header: pg_sys::HeapTupleHeader) -> pg_sys::TransactionId {
    // SAFETY: by contract; others, or subtransactions, may have locked it as well.
    unsafe {
        if u32::from((*header).t_infomask) & pg_sys::HEAP_XMAX_IS_MULTI != 0 {
            raw::HeapTupleGetUpdateXid(header)
        } else {
            (*header).t_choice.t_heap.t_xmax
        }
    }
}

/// As BufferGetPage.
///
/// # Safety
/// `buffer` is pinned.
unsafe fn page_of(buffer: pg_sys::Buffer) -> *mut u8 {
    // SAFETY: by contract; buffers are numbered from 1, those of temporary tables from -1 downwards.
    unsafe {
        if buffer < 0 {
            (*pg_sys::LocalBufferBlockPointers.add((-buffer - 1) as usize)).cast()
        } else {
            pg_sys::BufferBlocks.add((buffer - 1) as usize * pg_sys::BLCKSZ as usize).cast()
        }
    }
}

/// Whether an ItemIdData (bits lp_off: 15, lp_flags: 2, lp_len: 15) is LP_NORMAL.
#[inline(always)]
fn is_normal(line: u32) -> bool {
    // The flags stand in the middle, wherever bit fields begin.
    line >> 15 & 3 == pg_sys::LP_NORMAL
}

/// Where on its page the tuple of an ItemIdData begins, and how long it is.
#[inline(always)]
fn extent(line: u32) -> (usize, u32) {
    let (low, high) = (line & 0x7fff, line >> 17);
    if cfg!(target_endian = "little") { (low as usize, high) } else { (high as usize, low) }
}
