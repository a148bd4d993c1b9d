use dispense::files::state::{GrantChange, GrantState, UploadChange, UploadState};

/// Rows: L3, L4.
#[test]
fn the_whole_grid_of_grants_and_uploads_is_known() {
    let mut grid = String::new();
    for state in GrantState::ALL {
        for change in GrantChange::ALL {
            grid.push_str(&format!("grant {state:?} {change:?} -> {:?}\n", state.after(change)));
        }
    }
    for state in UploadState::ALL {
        for change in UploadChange::ALL {
            grid.push_str(&format!("upload {state:?} {change:?} -> {:?}\n", state.after(change)));
        }
    }
    insta::assert_snapshot!(grid);
}
