//! Rust with its standard library: collections, text, threads, panics, time, and variables of threads.
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::fmt::Write;
use std::panic::{catch_unwind, set_hook};
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

fn maps() -> i64 {
    let text = "the quick brown fox jumps over the lazy dog the end";
    let mut counts = HashMap::new();
    for word in text.split(' ') {
        *counts.entry(word).or_insert(0i64) += 1;
    }
    let sorted: BTreeMap<_, _> = counts.iter().collect();
    let (first, _) = sorted.iter().next().unwrap();
    counts["the"] * 1000 + counts.len() as i64 * 10 + first.len() as i64
}

fn formatting() -> i64 {
    let mut text = String::new();
    write!(text, "{:>6.2}|{:#x}|{:?}|{:+}|{:e}", 3.14159, 255, Some("a\n"), 7, 1234.5).unwrap();
    text.bytes().fold(7i64, |hash, byte| (hash * 31 + byte as i64) % 1_000_000_007)
}

fn parsing() -> i64 {
    let good: i64 = "-1234567890123".parse().unwrap();
    let number: f64 = "2.5e3".parse().unwrap();
    good + number as i64 + "12x".parse::<i32>().is_err() as i64
}

fn unicode() -> i64 {
    let text = "Grüße, Ωmega, 日本";
    text.to_uppercase().chars().count() as i64 * 1000 + text.len() as i64 * 10 + text.char_indices().nth(13).unwrap().0 as i64
}

struct Dropped(Rc<Cell<i64>>, i64);
impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() * 10 + self.1);
    }
}

fn drops() -> i64 {
    let trace = Rc::new(Cell::new(0));
    {
        let _first = Dropped(trace.clone(), 1);
        let boxed: Vec<Dropped> = (2..5).map(|digit| Dropped(trace.clone(), digit)).collect();
        drop(boxed);
    }
    trace.get() * 10 + Rc::strong_count(&trace) as i64
}

fn panics() -> i64 {
    set_hook(Box::new(|_| ()));
    let caught = catch_unwind(|| {
        let numbers = [1, 2, 3];
        let index = numbers.iter().sum::<usize>();
        numbers[index]
    });
    let calls = CALLS.load(Ordering::SeqCst);
    let message = catch_unwind(|| {
        if calls > 0 {
            panic!("answer {}", calls);
        }
    });
    let text = *message.unwrap_err().downcast::<String>().unwrap();
    caught.is_err() as i64 * 100 + text.len() as i64
}

fn threads() -> i64 {
    let total = Arc::new(Mutex::new(0i64));
    let (sender, receiver) = mpsc::channel();
    let workers: Vec<_> = (1..=4)
        .map(|n| {
            let (total, sender) = (total.clone(), sender.clone());
            thread::spawn(move || {
                for _ in 0..100 {
                    *total.lock().unwrap() += n;
                }
                sender.send(n * 10).unwrap();
            })
        })
        .collect();
    drop(sender);
    for worker in workers {
        worker.join().unwrap();
    }
    let sum = *total.lock().unwrap();
    sum * 1000 + receiver.iter().sum::<i64>()
}

fn panicking_thread() -> i64 {
    set_hook(Box::new(|_| ()));
    thread::spawn(|| panic!("{}", 5)).join().is_err() as i64
}

thread_local!(static OWN: RefCell<Vec<i64>> = RefCell::new(vec![5]));

fn thread_locals() -> i64 {
    let push = |n| OWN.with(|own| {
        own.borrow_mut().push(n);
        own.borrow().iter().sum::<i64>()
    });
    let here = push(6);
    let there = thread::spawn(move || push(7)).join().unwrap();
    OWN.with(|own| own.borrow_mut().truncate(1));
    here * 100 + there
}

static DESTROYED: AtomicI64 = AtomicI64::new(0);
struct Local;
impl Drop for Local {
    fn drop(&mut self) {
        DESTROYED.fetch_add(1, Ordering::SeqCst);
    }
}
thread_local!(static LOCAL: Local = Local);

fn destroyed_locals() -> i64 {
    for _ in 0..3 {
        thread::spawn(|| LOCAL.with(|_| ())).join().unwrap();
    }
    DESTROYED.swap(0, Ordering::SeqCst)
}

static CALLS: AtomicI64 = AtomicI64::new(10);
static NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

fn statics() -> i64 {
    let before = CALLS.fetch_add(5, Ordering::SeqCst);
    let after = CALLS.swap(10, Ordering::SeqCst);
    before * 1000 + after * 10 + NAMES[CALLS.load(Ordering::SeqCst) as usize % 3].len() as i64
}

fn wide() -> i64 {
    let big = u128::MAX / 3 / CALLS.load(Ordering::SeqCst) as u128;
    (big % 1_000_000_007) as i64 + (big >> 100) as i64
}

trait Shape {
    fn area(&self) -> f64;
    fn name(&self) -> String {
        "shape".into()
    }
}
struct Square(f64);
struct Circle(f64);
impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}
impl Shape for Circle {
    fn area(&self) -> f64 {
        self.0.powi(2) * std::f64::consts::PI
    }
    fn name(&self) -> String {
        format!("circle {}", self.0)
    }
}

fn traits() -> i64 {
    let shapes: Vec<Box<dyn Shape>> = vec![Box::new(Square(3.0)), Box::new(Circle(2.0))];
    shapes.iter().map(|shape| (shape.area() * 100.0) as i64 * shape.name().len() as i64).sum()
}

fn queues() -> i64 {
    let mut heap: BinaryHeap<i64> = [3, 9, 4, 1, 7].into_iter().collect();
    let mut queue: VecDeque<i64> = (0..40).collect();
    queue.rotate_left(13);
    let mut sorted: Vec<String> = queue.iter().map(|n| n.to_string()).collect();
    sorted.sort_by(|a, b| b.cmp(a));
    heap.pop().unwrap() * 1000 + heap.pop().unwrap() * 100 + queue[0] + sorted[1].parse::<i64>().unwrap()
}

static ALL: [fn() -> i64; 14] = [
    maps, formatting, parsing, unicode, drops, panics, threads, panicking_thread, thread_locals, destroyed_locals, statics, wide,
    traits, queues,
];

#[no_mangle]
pub extern "C" fn questions() -> i32 {
    ALL.len() as i32
}

#[no_mangle]
pub extern "C" fn answer(question: i32) -> i64 {
    ALL[question as usize]()
}
