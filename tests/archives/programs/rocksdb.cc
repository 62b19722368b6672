#include <rocksdb/db.h>
#include <cstdlib>
#include <memory>
#include <string>

/* A database on disk with threads of its own: written, flushed, iterated, closed, opened again. */
extern "C" int check() {
  char folder[] = "/tmp/rocksdb-XXXXXX";
  if (!mkdtemp(folder)) return 1;
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB *opened = nullptr;
  if (!rocksdb::DB::Open(options, folder, &opened).ok()) return 2;
  std::unique_ptr<rocksdb::DB> db(opened);
  for (int i = 0; i < 1000; i++) {
    if (!db->Put({}, "key" + std::to_string(i), std::to_string(i * i)).ok()) return 3;
  }
  if (!db->Flush({}).ok() || !db->CompactRange({}, nullptr, nullptr).ok()) return 4;
  db.reset();
  if (!rocksdb::DB::Open(options, folder, &opened).ok()) return 5;
  db.reset(opened);
  std::string value;
  if (!db->Get({}, "key77", &value).ok() || value != "5929") return 6;
  int count = 0;
  std::unique_ptr<rocksdb::Iterator> all(db->NewIterator({}));
  for (all->SeekToFirst(); all->Valid(); all->Next()) count++;
  all.reset();
  db.reset();
  return count == 1000 && rocksdb::DestroyDB(folder, options).ok() ? 42 : 7;
}
