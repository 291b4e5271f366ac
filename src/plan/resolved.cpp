#include "plan/resolved.h"

#include <bit>
#include <cstring>
#include <type_traits>

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

// Destructors of other thread-local and static objects may call on when the places are gone.
thread_local bool places_are_gone = false;

struct Places {
  std::array<Place, kPlaces> all;
  Places() = default;
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  ~Places() { places_are_gone = true; }
};

// A few kinds of calls of one thread find what they left; where two want the same place, each makes its own anew. Null
// where another call has it.
Place* place_of(const Descriptor& descriptor, const Shape& x) {
  if (places_are_gone) return nullptr;
  thread_local Places places;
  std::uint64_t hash = mixed(static_cast<std::uint64_t>(descriptor.groups), descriptor.centred ? 1U : 0U);
  hash = mixed(hash, std::bit_cast<std::uint64_t>(descriptor.eps));
  hash = mixed(mixed(hash, descriptor.statistics), descriptor.affine);
  for (const std::int64_t size : x.sizes()) hash = mixed(hash, static_cast<std::uint64_t>(size));
  Place& place = places.all[hash % kPlaces];
  return place.taken ? nullptr : &place;
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
         descriptor.groups == descriptor_.groups &&
         std::bit_cast<std::uint64_t>(descriptor.eps) == std::bit_cast<std::uint64_t>(descriptor_.eps) &&
         descriptor.centred == descriptor_.centred;
}

const Plan& Resolved::plan(Layout layout) {
  std::optional<Plan>& plan = plans_[layout == Layout::kChannelsFirst ? 0 : 1];
  if (!plan) plan = make_plan(descriptor_, x_, dense_strides(x_, layout));
  return *plan;
}

Lease::Lease(const Descriptor& descriptor, const Shape& x, bool may_allocate) : place_(place_of(descriptor, x)) {
  if (place_ != nullptr && place_->kept == nullptr && !may_allocate) place_ = nullptr;
  if (place_ == nullptr) {
    resolved_ = &own_.emplace(descriptor, x);
    return;
  }
  if (place_->kept == nullptr) {
    place_->kept = std::make_unique<Resolved>(descriptor, x);
  } else if (!place_->kept->is_of(descriptor, x)) {
    *place_->kept = Resolved(descriptor, x);  // where the other was: nothing is allocated
  }
  resolved_ = place_->kept.get();
  place_->taken = true;
}

Lease::~Lease() {
  if (place_ != nullptr) place_->taken = false;
}

}  // namespace norma::plan
