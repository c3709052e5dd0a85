// SPDX-License-Identifier: MIT
module example.org/xvs

go 1.18
