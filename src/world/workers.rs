//! The threads that parse and test in parallel.

use std::sync::Once;

/// Starts the threads, once. Where that is impossible, the calling thread does their work.
///
/// Most runs with a warm cache have nothing to spread and never call this: starting threads takes longer than they do.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(start_now);
}

fn start_now() {
    let wanted = std::thread::available_parallelism().map_or(1, usize::from);
    // A pool that cannot start its threads cannot be tried twice, so others try whether they could.
    let tried: Vec<_> =
        (0..wanted).map(|_| std::thread::Builder::new().spawn(std::thread::yield_now)).collect();
    let enough = tried.iter().all(Result::is_ok);
    tried.into_iter().flatten().for_each(|thread| drop(thread.join()));
    let pool = rayon::ThreadPoolBuilder::new();
    let pool = if enough { pool.num_threads(wanted) } else { pool.num_threads(1).use_current_thread() };
    if let Err(error) = pool.build_global() {
        eprintln!("rstap: cannot start threads: {error}");
    }
}
