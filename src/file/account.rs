//! Users and groups by name, from the text of /etc/passwd and /etc/group.
//!
//! # Why
//!
//! A static binary has no name service switch. A user that a directory service knows goes by number.

use crate::problem::Problem;

/// A user's number, from a number or a name of /etc/passwd.
///
/// # Errors
/// When there is no such user.
pub fn user_id(user: &str) -> Result<u32, Problem> {
    id(user, "user", "/etc/passwd")
}

/// A group's number, from a number or a name of /etc/group.
///
/// # Errors
/// When there is no such group.
pub fn group_id(group: &str) -> Result<u32, Problem> {
    id(group, "group", "/etc/group")
}

fn id(name: &str, what: &str, table: &str) -> Result<u32, Problem> {
    // The highest number means "leave it" to chown(2).
    let number = name.parse().ok().filter(|number| *number != u32::MAX);
    if let Some(number) = number {
        return Ok(number);
    }
    let text = std::fs::read_to_string(table).unwrap_or_default();
    find(&text, name).ok_or_else(|| {
        Problem::new(
            "unknown-account",
            format!("there is no {what} `{name}` in {table}"),
        )
        .help(format!("give the number of the {what}: `id {name}`"))
    })
}

/// The number of a name: the third field of its line, in both tables.
fn find(table: &str, name: &str) -> Option<u32> {
    let mut lines = table.lines().map(|line| line.split(':'));
    let mut fields =
        lines.find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
    fields.nth(1)?.parse().ok()
}

/// Whether a group is a user's own (as distributions give each user one, with a umask of 002): it is that user's
/// primary group, and nobody else is in it. Root doesn't count.
pub(super) fn alone_in_group(user: u32, group: u32) -> bool {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    alone(&read("/etc/passwd"), &read("/etc/group"), user, group)
}

fn alone(passwd: &str, groups: &str, user: u32, group: u32) -> bool {
    let mut theirs = false;
    for line in passwd.lines() {
        let mut fields = line.split(':').skip(2);
        let mut number = || fields.next().and_then(|field| field.parse::<u32>().ok());
        let (Some(uid), Some(gid)) = (number(), number()) else {
            continue;
        };
        if gid == group && uid != 0 && uid != user {
            return false;
        }
        theirs |= gid == group && uid == user;
    }
    for line in groups.lines() {
        let mut fields = line.split(':').skip(2);
        if fields.next().and_then(|field| field.parse().ok()) != Some(group) {
            continue;
        }
        let mut members = fields.next().unwrap_or_default().split(',');
        let harmless = |name: &str| {
            name.is_empty() || find(passwd, name).is_some_and(|uid| uid == 0 || uid == user)
        };
        if !members.all(harmless) {
            return false;
        }
    }
    theirs
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n\
                          bob:x:1001:1001::/:/bin/sh\neve:x:1002:50::/:/bin/sh\nbroken\n";
    const GROUPS: &str = "root:x:0:\nann:x:1000:\nbob:x:1001:eve\nstaff:x:50:ann\nops:x:60:bob\n";

    #[test]
    fn an_account_is_a_number_or_a_name_of_the_table() {
        assert_eq!(find(PASSWD, "bob"), Some(1001));
        assert_eq!(find(PASSWD, "broken"), None);
        assert_eq!(find(GROUPS, "staff"), Some(50));
        assert_eq!(user_id("root").unwrap(), 0);
        assert_eq!(group_id("4711").unwrap(), 4711);
        assert_eq!(user_id("no such user").unwrap_err().rule, "unknown-account");
        assert_eq!(user_id("4294967295").unwrap_err().rule, "unknown-account");
    }

    #[test]
    fn a_group_is_a_users_own_only_without_anybody_else_in_it() {
        let alone = |user, group| alone(PASSWD, GROUPS, user, group);
        assert!(alone(1000, 1000));
        assert!(!alone(1001, 1001), "eve is a member of bob's group");
        assert!(!alone(1000, 60), "ann's primary group is another");
        assert!(!alone(1002, 50), "ann is a member");
        assert!(!alone(1000, 1001), "bob's");
        assert!(!alone(4711, 4711), "nothing is known of either");
    }
}
