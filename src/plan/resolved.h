// What a descriptor and a shape come to: the shapes of the other tensors, and the plans. Kept from one call to the
// next, for a small call would spend as long on it as on its elements: some 3 KB each, of up to 64 kinds of calls a
// thread.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "plan/plan.h"

namespace norma::plan {

class Resolved {
 public:
  // Throws Error as statistics_shape and affine_shape do.
  Resolved(const Descriptor& descriptor, const Shape& x);

  bool is_of(const Descriptor& descriptor, const Shape& x) const;
  const Shape& statistics() const { return statistics_; }
  const Shape& affine() const { return affine_; }
  // How many elements share one mean.
  std::int64_t normalized() const { return normalized_; }
  // Are statistics shared over axis 0?
  bool over_batch() const { return over_batch_; }
  // x has elements. Made when it is first asked for.
  const Plan& plan(Layout layout);

 private:
  Descriptor descriptor_;
  Shape x_;
  Shape statistics_;
  Shape affine_;
  std::int64_t normalized_;
  bool over_batch_;
  std::array<std::optional<Plan>, 2> plans_;  // by layout
};

// Where a thread keeps one.
struct Place {
  std::unique_ptr<Resolved> kept;
  bool taken = false;
};

// One of them for the length of a call: what this thread's last call of the kind left, or a new one. It is nobody
// else's meanwhile: a caller's pool may enter another call from within this one. `may_allocate`: otherwise what is not
// kept yet is the call's own.
class Lease {
 public:
  Lease(const Descriptor& descriptor, const Shape& x, bool may_allocate);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Resolved* operator->() const { return resolved_; }

 private:
  Place* place_;  // null: the call's own
  std::optional<Resolved> own_;
  Resolved* resolved_;
};

}  // namespace norma::plan
