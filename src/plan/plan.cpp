#include "plan/plan.h"

#include <algorithm>
#include <string>

#include "plan/axes.h"

namespace norma::plan {

AxisRoles resolve(const Descriptor& descriptor, const Shape& x) {
  AxisRoles roles;
  roles.shared_bits = descriptor.statistics.resolve(x.rank(), descriptor.name);
  roles.affine_bits = descriptor.affine.resolve(x.rank(), descriptor.name);
  if (descriptor.groups == 1) return roles;
  const auto where = [&] { return std::string("[").append(descriptor.name).append("] groups: "); };
  if (descriptor.groups < 1) throw Error(where() + "expected >= 1, got " + std::to_string(descriptor.groups));
  if (x.rank() < 2 || roles.kept(1)) {
    throw Error(where() + "expected axis 1 to exist and to share statistics, got shape " + x.to_string() + " with " +
                std::to_string(descriptor.groups) + " groups");
  }
  if (x[1] % descriptor.groups != 0) {
    throw Error(where() + "expected a divisor of the " + std::to_string(x[1]) + " channels, got " +
                std::to_string(descriptor.groups));
  }
  roles.split_channels = true;
  return roles;
}

void Order::push(std::int64_t axis_size, std::int64_t axis_stride) {
  const auto at = static_cast<std::size_t>(axes++);
  size[at] = axis_size;
  stride[at] = axis_stride;
}

void Order::close() {
  identity = true;
  std::int64_t expected = 1;
  for (auto at = static_cast<std::size_t>(axes); at-- > 0;) {
    identity = identity && (size[at] == 1 || stride[at] == expected);
    expected *= size[at];
  }
}

std::int64_t Order::elements() const {
  std::int64_t product = 1;
  for (int at = 0; at < axes; ++at) product *= size[static_cast<std::size_t>(at)];
  return product;
}

std::int64_t Order::offset(std::int64_t n) const {
  std::int64_t sum = 0;
  for (auto at = static_cast<std::size_t>(axes); at-- > 0;) {
    sum += n % size[at] * stride[at];
    n /= size[at];
  }
  return sum;
}

namespace {

// One axis of size > 1 as it lies in memory, outermost first in the list.
struct MemoryAxis {
  int logical;
  std::int64_t steps;  // of the logical axis, from one to the next
  std::int64_t size;
  std::int64_t stride;  // of x
  bool reduced;
  bool affine;
  std::int64_t statistics_stride;  // in the logical row-major array of statistics; 0 if reduced
  std::int64_t affine_stride;      // likewise of gamma; 0 if not affine
};

struct AxisList {
  std::array<MemoryAxis, kMaxAxes> axes{};
  std::size_t count = 0;
  void push(const MemoryAxis& axis) {
    if (axis.size > 1) axes[count++] = axis;
  }
};

// Logical order, innermost first while the strides grow.
AxisList logical_axes(const Descriptor& descriptor, const Shape& x, const Strides& strides) {
  const AxisRoles roles = resolve(descriptor, x);
  AxisList list;
  std::int64_t statistics_stride = 1;
  std::int64_t affine_stride = 1;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    const std::int64_t stride = strides[static_cast<std::size_t>(axis)];
    const bool affine = roles.affine(axis);
    const std::int64_t own_affine = affine ? affine_stride : 0;
    if (roles.split(axis)) {
      const std::int64_t part = x[axis] / descriptor.groups;
      list.push({axis, 1, part, stride, true, affine, 0, own_affine});
      list.push({axis, part, descriptor.groups, stride * part, false, affine, statistics_stride, own_affine * part});
      statistics_stride *= descriptor.groups;
    } else {
      const bool kept = roles.kept(axis);
      list.push({axis, 1, x[axis], stride, !kept, affine, kept ? statistics_stride : 0, own_affine});
      if (kept) statistics_stride *= x[axis];
    }
    if (affine) affine_stride *= x[axis];
  }
  std::reverse(list.axes.begin(), list.axes.begin() + static_cast<std::ptrdiff_t>(list.count));
  return list;
}

// Outermost in memory first; equal strides stay in order. By insertion: std::stable_sort allocates.
void sort_by_memory(AxisList& list) {
  for (std::size_t n = 1; n < list.count; ++n) {
    const MemoryAxis axis = list.axes[n];
    std::size_t at = n;
    for (; at > 0 && list.axes[at - 1].stride < axis.stride; --at) list.axes[at] = list.axes[at - 1];
    list.axes[at] = axis;
  }
}

// Axes first..last (memory order) of one kind.
struct Run {
  std::size_t first = 0;
  std::size_t last = 0;  // one past
  std::int64_t size = 1;
};

// The gamma index along a run; false if its affine axes do not lie side by side.
bool map_of(const AxisList& list, const std::array<std::int64_t, kMaxAxes>& memory_stride, const Run& run,
            IndexMap& map) {
  map = {};
  int state = 0;  // 0 inside of the affine axes, 1 among them, 2 outside
  for (std::size_t at = run.last; at-- > run.first;) {
    const MemoryAxis& axis = list.axes[at];
    if (axis.affine) {
      if (state == 2) return false;
      if (state == 0) map.stride = memory_stride[at];
      state = 1;
      map.mod *= axis.size;
    } else {
      if (state == 0) map.div *= axis.size;
      if (state == 1) state = 2;
    }
  }
  if (map.stride == 0) map = {};
  return true;
}

void fill_gather(const AxisList& list, const std::array<std::int64_t, kMaxAxes>& memory_stride, Plan& plan) {
  for (std::size_t at = 0; at < list.count; ++at) {
    const MemoryAxis& axis = list.axes[at];
    Order& order = axis.reduced ? plan.reduced_axes : plan.kept_axes;
    Order& affine = axis.reduced ? plan.reduced_affine : plan.kept_affine;
    order.push(axis.size, axis.stride);
    affine.push(axis.size, axis.affine ? memory_stride[at] : 0);
  }
  plan.direct = false;
  plan.B = plan.kept_axes.elements();
  plan.I = plan.reduced_axes.elements();
  plan.O = plan.K = 1;
  plan.affine_b = plan.affine_o = plan.affine_k = plan.affine_i = {};
}

// Lays the alternating runs on [B kept][O reduced][K kept][I reduced]; false if there are too many.
bool place(const std::array<Run, kMaxAxes>& runs, std::size_t count, bool last_reduced, std::array<Run, 4>& placed) {
  std::size_t slot = last_reduced ? 4 : 3;
  if (count > slot) return false;
  for (std::size_t at = count; at-- > 0;) placed[--slot] = runs[at];
  // Rows without an outer reduced run: the kept run is the batch.
  if (last_reduced && count == 2) std::swap(placed[0], placed[2]);
  return true;
}

}  // namespace

Plan make_plan(const Descriptor& descriptor, const Shape& x, const Strides& strides) {
  AxisList list = logical_axes(descriptor, x, strides);
  sort_by_memory(list);
  Plan plan;
  plan.eps = descriptor.eps;
  plan.centred = descriptor.centred;
  std::array<std::int64_t, kMaxAxes> memory_stride{};
  for (std::size_t at = list.count; at-- > 0;) {
    memory_stride[at] = plan.affine_size;
    if (list.axes[at].affine) plan.affine_size *= list.axes[at].size;
  }
  std::array<Run, kMaxAxes> runs{};
  std::size_t count = 0;
  for (std::size_t at = 0; at < list.count; ++at) {
    const MemoryAxis& axis = list.axes[at];
    if (at == 0 || axis.reduced != list.axes[at - 1].reduced) runs[count++] = {at, at, 1};
    runs[count - 1].last = at + 1;
    runs[count - 1].size *= axis.size;
    if (!axis.reduced) plan.statistics_order.push(axis.size, axis.statistics_stride);
    if (axis.affine) plan.affine_order.push(axis.size, axis.affine_stride);
  }
  plan.statistics_order.close();
  plan.affine_order.close();

  const bool last_reduced = list.count > 0 && list.axes[list.count - 1].reduced;
  std::array<Run, 4> placed{};
  bool direct = place(runs, count, last_reduced, placed);
  direct = direct && map_of(list, memory_stride, placed[0], plan.affine_b) &&
           map_of(list, memory_stride, placed[1], plan.affine_o) &&
           map_of(list, memory_stride, placed[2], plan.affine_k) &&
           map_of(list, memory_stride, placed[3], plan.affine_i);
  plan.B = placed[0].size;
  plan.O = placed[1].size;
  plan.K = placed[2].size;
  plan.I = placed[3].size;
  for (int slot = 0; slot < 4; ++slot) {
    const Run& run = placed[static_cast<std::size_t>(slot)];
    for (std::size_t at = run.first; at < run.last; ++at) {
      const MemoryAxis& axis = list.axes[at];
      plan.axes[plan.axis_count++] = {axis.logical, axis.size, axis.steps, slot};
    }
  }
  // Columns want gamma along k as it lies in memory, or a gamma per row o, not both.
  if (direct && plan.I == 1) {
    const bool along_k = plan.affine_k.stride != 0;
    const bool whole = plan.affine_k.stride == 1 && plan.affine_k.injective(plan.K);
    direct = !along_k || (whole && plan.affine_o.stride == 0);
  }
  if (!direct) fill_gather(list, memory_stride, plan);
  return plan;
}

std::optional<Pitch> pitch_of(const Plan& plan, const Strides& strides) {
  std::array<std::int64_t, 4> innermost{};  // stride of each run; 0: it has no axis
  std::array<std::int64_t, 4> whole{};      // what the next axis outwards of the run must have
  for (std::size_t at = plan.axis_count; at-- > 0;) {
    const Plan::Axis& axis = plan.axes[at];
    const auto run = static_cast<std::size_t>(axis.run);
    const std::int64_t stride = strides[static_cast<std::size_t>(axis.logical)] * axis.steps;
    if (whole[run] == 0) {
      innermost[run] = stride;
    } else if (stride != whole[run]) {
      return std::nullopt;
    }
    whole[run] = stride * axis.size;
  }
  const auto [b, o, k, i] = innermost;
  if (plan.I > 1 && i != 1) return std::nullopt;
  if (plan.I == 1 && plan.K > 1 && k != 1) return std::nullopt;
  // A run of one is never left.
  Pitch pitch;
  pitch.k = k != 0 ? k : plan.I;
  pitch.o = o != 0 ? o : plan.K * pitch.k;
  pitch.b = b != 0 ? b : plan.O * pitch.o;
  return pitch;
}

}  // namespace norma::plan
