//! Answers that follow from the content of files alone, kept for whoever asks the same of another tree.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, RwLock};

const HELD: &str = "nothing panics while the lock is held";

/// What was found out, by what it was found out from.
///
/// Whoever goes through the commits of a history asks the same questions of the same contents again and again. A key must
/// hold all that the answer depends on; the content of a file stands in it by its
/// [name](crate::Tree::content_name). Only answers are kept, no errors.
#[derive(Default)]
pub struct Memo {
    kinds: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// The answers to one kind of question.
type Answers<K, V> = RwLock<HashMap<K, Arc<V>>>;

impl Memo {
    /// The answer under `key`; `ask` finds it when nobody has asked before. Of two who ask at once both may find it, and
    /// both get the same one.
    pub fn answer<K, V, E>(&self, key: K, ask: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E>
    where
        K: Eq + Hash + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let answers = self.answers::<K, V>();
        if let Some(known) = answers.read().expect(HELD).get(&key) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(ask()?);
        Ok(Arc::clone(answers.write().expect(HELD).entry(key).or_insert(found)))
    }

    fn answers<K: Send + Sync + 'static, V: Send + Sync + 'static>(&self) -> Arc<Answers<K, V>> {
        let mut kinds = self.kinds.lock().expect(HELD);
        let answers = kinds.entry(TypeId::of::<Answers<K, V>>()).or_insert_with(|| {
            let answers: Answers<K, V> = RwLock::default();
            Arc::new(answers)
        });
        Arc::clone(answers).downcast().unwrap_or_else(|_| unreachable!("answers are kept under their type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_asked_once_and_an_error_is_not_kept() {
        let memo = Memo::default();
        assert_eq!(memo.answer(1, || Err::<u8, _>("no")), Err("no"));
        assert_eq!(memo.answer(1, || Ok::<u8, &str>(2)).as_deref(), Ok(&2));
        assert_eq!(memo.answer(1, || Err::<u8, _>("no")).as_deref(), Ok(&2));
        // Another kind of key or of answer is another question.
        assert_eq!(memo.answer(1, || Ok::<u16, &str>(3)).as_deref(), Ok(&3));
        assert_eq!(memo.answer("1", || Ok::<u8, &str>(4)).as_deref(), Ok(&4));
    }
}
