#include "plan/resolved.h"

#include <bit>
#include <cstring>
#include <utility>

#include "plan/axes.h"

namespace norma::plan {
namespace {

constexpr std::size_t kPlaces = 64;

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  // An odd number with no pattern: the golden ratio's digits (Knuth, TAOCP 3, 6.4).
  return std::rotl((hash ^ value) * 0x9E3779B97F4A7C15U, 29);
}

std::uint64_t mixed(std::uint64_t hash, const Axes& axes) {
  static_assert(sizeof(Axes) > sizeof(std::uint64_t) && std::has_unique_object_representations_v<Axes>);
  std::uint64_t first = 0;
  std::memcpy(&first, &axes, sizeof first);
  return mixed(hash, first);
}

// A few kinds of calls of one thread find what they left; where two want the same place, each makes its own anew.
std::unique_ptr<Resolved>& place_of(const Descriptor& descriptor, const Shape& x) {
  thread_local std::array<std::unique_ptr<Resolved>, kPlaces> places;
  std::uint64_t hash = mixed(static_cast<std::uint64_t>(descriptor.groups), descriptor.centred ? 1U : 0U);
  hash = mixed(mixed(hash, descriptor.statistics), descriptor.affine);
  for (const std::int64_t size : x.sizes()) hash = mixed(hash, static_cast<std::uint64_t>(size));
  return places[hash % kPlaces];
}

}  // namespace

Resolved::Resolved(const Descriptor& descriptor, const Shape& x)
    : descriptor_(descriptor),
      x_(x),
      statistics_(statistics_shape(descriptor, x)),
      affine_(affine_shape(descriptor, x)),
      normalized_(normalized_size(descriptor, x)),
      over_batch_(x.rank() > 0 && !resolve(descriptor, x).kept(0)) {
  // The caller's name may be gone by the next call, and no error comes after these.
  descriptor_.name = Descriptor().name;
}

bool Resolved::is_of(const Descriptor& descriptor, const Shape& x) const {
  return x == x_ && descriptor.statistics == descriptor_.statistics && descriptor.affine == descriptor_.affine &&
         descriptor.groups == descriptor_.groups && descriptor.eps == descriptor_.eps &&
         descriptor.centred == descriptor_.centred;
}

const Plan& Resolved::plan(Layout layout) {
  std::optional<Plan>& plan = plans_[layout == Layout::kChannelsFirst ? 0 : 1];
  if (!plan) plan = make_plan(descriptor_, x_, dense_strides(x_, layout));
  return *plan;
}

Lease::Lease(const Descriptor& descriptor, const Shape& x)
    : place_(place_of(descriptor, x)), resolved_(std::exchange(place_, nullptr)) {
  if (resolved_ == nullptr) {
    resolved_ = std::make_unique<Resolved>(descriptor, x);
  } else if (!resolved_->is_of(descriptor, x)) {
    *resolved_ = Resolved(descriptor, x);  // in its place: nothing is allocated
  }
}

Lease::~Lease() {
  place_ = std::move(resolved_);
}

}  // namespace norma::plan
